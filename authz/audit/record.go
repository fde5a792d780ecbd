package audit

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/netip"
	"time"
)

// Kind says what a line is.
type Kind string

const (
	// KindBegin is a hop that was allowed; an end with the same hop follows.
	KindBegin Kind = "begin"
	// KindDeny is a hop that was not allowed (verdict deny or ask). No end
	// follows. After a begin of the same hop it takes that begin back.
	KindDeny Kind = "deny"
	// KindChange is a hop that lives and was decided again, with a change: another
	// rule lets it pass, a fresher token renewed it, it ends at another time. The
	// record says what holds now, and Reason what changed.
	KindChange Kind = "change"
	// KindEnd is the end of a hop that had begun.
	KindEnd Kind = "end"
	// KindBoot is the first line of a process.
	KindBoot Kind = "boot"
	// KindCheckpoint signs itself and, by the chain, every line before it.
	KindCheckpoint Kind = "checkpoint"
	// KindRotate is the first line in a file that another one preceded; its
	// prev is the hash of that file's last line.
	KindRotate Kind = "rotate"
	// KindResume is written when the file could be written again.
	KindResume Kind = "resume"
)

// Verdict is what was decided.
type Verdict string

const (
	VerdictAllow Verdict = "allow"
	VerdictDeny  Verdict = "deny"
	VerdictAsk   Verdict = "ask"
)

// End says how a hop ended.
type End string

const (
	// EndDone is an answer that was complete.
	EndDone End = "done"
	// EndClientLeft is a client that went away first.
	EndClientLeft End = "client_left"
	// EndUpstreamReset is an upstream that broke off.
	EndUpstreamReset End = "upstream_reset"
	// EndUpstreamFailed is an upstream that could not be reached.
	EndUpstreamFailed End = "upstream_failed"
	// EndTimeout is a timeout of the route.
	EndTimeout End = "timeout"
	// EndExpired is a cut at the end of the stream's lifetime.
	EndExpired End = "expired"
	// EndRefused is a cut because a later decision was no.
	EndRefused End = "refused"
	// EndRevoked is a cut because the token or its transaction was revoked.
	EndRevoked End = "revoked"
	// EndQuarantined is a cut by a quarantine.
	EndQuarantined End = "quarantined"
	// EndLimit is a cut by a budget.
	EndLimit End = "limit"
	// EndShutdown is a cut because the gateway went down.
	EndShutdown End = "shutdown"
	// EndHoldMissing is a hop that was allowed and for which Envoy never
	// opened the hold.
	EndHoldMissing End = "hold_missing"
	// EndLost is written by the log itself: how the hop ended is not known.
	EndLost End = "lost"
)

// HopID is a hop's id: 128 random bits. Zero: none.
type HopID [16]byte

// String is 32 lower-case hex digits.
func (h HopID) String() string { return hex.EncodeToString(h[:]) }

// MarshalText implements encoding.TextMarshaler.
func (h HopID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads what String wrote and nothing else.
func (h *HopID) UnmarshalText(b []byte) error { return decodeHex(h[:], b) }

// TokenID names a token without being one: the first 8 bytes of its SHA-256.
type TokenID [8]byte

// String is 16 lower-case hex digits.
func (t TokenID) String() string { return hex.EncodeToString(t[:]) }

// MarshalText implements encoding.TextMarshaler.
func (t TokenID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, t[:]), nil }

// UnmarshalText reads what String wrote and nothing else.
func (t *TokenID) UnmarshalText(b []byte) error { return decodeHex(t[:], b) }

var errHex = errors.New("not lower-case hex of the right length")

func decodeHex(dst, src []byte) error {
	if len(src) != hex.EncodedLen(len(dst)) {
		return errHex
	}
	for _, c := range src {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return errHex
		}
	}
	_, err := hex.Decode(dst, src)
	return err
}

// Record is one line. Empty fields are left out of it. The order of the fields
// here is their order in the line. Text of any content and length may be put
// in: it is escaped, and cut where it is longer than the field's limit.
type Record struct {
	// Seq, BootID, Prev and Sig are the log's: Append ignores them.
	Seq uint64 `json:"seq"`
	// Time is when the line's subject happened; zero: now.
	Time   time.Time `json:"time"`
	BootID string    `json:"boot_id"`
	Kind   Kind      `json:"kind"`

	Hop HopID `json:"hop,omitzero"`
	// Parent is the hop of the tunnel that this hop is inside of.
	Parent HopID `json:"parent,omitzero"`
	// Txn, Domain (NAMESPACE/NAME of the TrustDomain), Subject, Agent and
	// Actors (newest first) are of a verified token, or empty.
	Txn     string   `json:"txn,omitempty"`
	Domain  string   `json:"domain,omitempty"`
	Subject string   `json:"subject,omitempty"`
	Agent   string   `json:"agent,omitempty"`
	Actors  []string `json:"actors,omitempty"`
	// Peer is the authenticated workload, Source the address it came from.
	Peer   string         `json:"peer,omitempty"`
	Source netip.AddrPort `json:"source,omitzero"`

	// Gateway and Route are NAMESPACE/NAME; RouteRule is the route's rule.
	Gateway   string `json:"gateway,omitempty"`
	Listener  string `json:"listener,omitempty"`
	Route     string `json:"route,omitempty"`
	RouteRule string `json:"route_rule,omitempty"`
	// Backends are KIND/NAMESPACE/NAME.
	Backends []string `json:"backends,omitempty"`

	// What the hop asks for, as surface.Action has it. Path has no query: what
	// follows a question mark is never written.
	Surface string `json:"surface,omitempty"`
	Method  string `json:"method,omitempty"`
	Name    string `json:"name,omitempty"`
	Host    string `json:"host,omitempty"`
	Port    uint16 `json:"port,omitempty"`
	Path    string `json:"path,omitempty"`

	Verdict Verdict `json:"verdict,omitempty"`
	// Code is the stable reason of a denial, Retry what may help.
	Code  string `json:"code,omitempty"`
	Retry string `json:"retry,omitempty"`
	// Level, Policy (NAMESPACE/NAME) and Rule are what decided.
	Level  string `json:"level,omitempty"`
	Policy string `json:"policy,omitempty"`
	Rule   string `json:"rule,omitempty"`
	// Reason is text for a person. It must not hold what Append must not.
	Reason string `json:"reason,omitempty"`
	// Revision is that of the feed that was decided by.
	Revision string `json:"revision,omitempty"`
	// Would is what policies of mode Report say.
	Would []Would `json:"would,omitempty"`
	// RuleErrors are Allow rules that could not be evaluated.
	RuleErrors []RuleError `json:"rule_errors,omitempty"`

	// Cause is the hop whose answer led to this one, and what allowed it was
	// asked of that; CauseUntil is until when it does, to the second.
	Cause      HopID     `json:"cause,omitzero"`
	CauseUntil time.Time `json:"cause_until,omitzero"`

	Token   TokenID   `json:"token,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
	// Until is when a hop that changed ends by itself, to the second.
	Until time.Time `json:"until,omitzero"`
	// Seen are the fields that rules read: enough to decide again. At most
	// 4 KiB are written.
	Seen      []Field `json:"seen,omitempty"`
	RequestID string  `json:"request_id,omitempty"`

	// BytesIn came from the agent, BytesOut went to it. TokensIn and TokensOut
	// are a model's count.
	BytesIn   int64 `json:"bytes_in,omitempty"`
	BytesOut  int64 `json:"bytes_out,omitempty"`
	TokensIn  int64 `json:"tokens_in,omitempty"`
	TokensOut int64 `json:"tokens_out,omitempty"`
	// Duration is written in whole microseconds.
	Duration time.Duration `json:"duration_us,omitempty"`
	End      End           `json:"end,omitempty"`
	// Status is the HTTP status that the agent got, Detail Envoy's response
	// code details.
	Status int    `json:"status,omitempty"`
	Detail string `json:"detail,omitempty"`

	Boot       *Boot       `json:"boot,omitempty"`
	Resume     *Resume     `json:"resume,omitempty"`
	Checkpoint *Checkpoint `json:"checkpoint,omitempty"`

	// Cut names the fields that were longer than their limit.
	Cut []string `json:"cut,omitempty"`
	// Prev is the SHA-256 of the line before, in hex.
	Prev string `json:"prev,omitempty"`
	// Sig is a checkpoint's signature, base64.
	Sig string `json:"sig,omitempty"`
}

// Would is the verdict of a policy that is not enforced.
type Would struct {
	Level   string  `json:"level,omitempty"`
	Policy  string  `json:"policy,omitempty"`
	Rule    string  `json:"rule,omitempty"`
	Verdict Verdict `json:"verdict,omitempty"`
	Code    string  `json:"code,omitempty"`
}

// RuleError is a rule that could not be evaluated, and why.
type RuleError struct {
	Policy string `json:"policy,omitempty"`
	Rule   string `json:"rule,omitempty"`
	Error  string `json:"error,omitempty"`
}

// Field is a value that a rule read.
type Field struct {
	// Name is as rules write it: args.repo.
	Name string `json:"name"`
	// Value is JSON; nil: the field was absent, unless Cut. What is not JSON is
	// written as a string.
	Value json.RawMessage `json:"value,omitempty"`
	// Cut: the value was too long to be recorded.
	Cut bool `json:"cut,omitempty"`
}

// Names of fields that are of no rule's own: what limits were compared with.
const (
	FieldOutputTokens = "limits.outputTokens"
	FieldRequestBytes = "limits.requestBytes"
	// FieldOverride is another method that the request asked for.
	FieldOverride = "request.override"
	// FieldInspected is true of what came by TLS that ended at the gateway.
	FieldInspected = "tls.inspected"
	// FieldReleaseAge is how old a release was found to be, FieldPinned true of
	// what can never be something else.
	FieldReleaseAge = "package.age"
	FieldPinned     = "package.pinned"
)

// Boot is what a process found when it started.
type Boot struct {
	// Clean is true when the process before closed the log, or there was none.
	Clean   bool   `json:"clean"`
	Version string `json:"version,omitempty"`
	// Torn is the length of an unfinished last line that was cut, in bytes.
	Torn int64 `json:"torn,omitempty"`
	// Lost is the number of hops that had begun and never ended.
	Lost int `json:"lost,omitempty"`
	// Note says what was wrong with the file, if anything was.
	Note string `json:"note,omitempty"`
}

// Resume is a time in which records could not be written.
type Resume struct {
	Since time.Time `json:"since"`
	// Refused is the number of records that were not taken. The hops they were
	// to begin were denied.
	Refused uint64 `json:"refused,omitempty"`
	// Error is the last one.
	Error string `json:"error,omitempty"`
}

// The values of Checkpoint.Why.
const (
	whyBoot     = "boot"
	whyCount    = "count"
	whyInterval = "interval"
	whyRotate   = "rotate"
	whyClose    = "close"
)

// Checkpoint says why and by which key a line is signed.
type Checkpoint struct {
	// Why is boot, count, interval, rotate, or close: the log ended as it
	// should.
	Why string `json:"why"`
	// Key is the first 16 hex digits of the public key's SHA-256.
	Key string `json:"key"`
	// Every is the largest number of lines that may follow before the next
	// checkpoint.
	Every int `json:"every"`
}
