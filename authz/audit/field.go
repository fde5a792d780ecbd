package audit

// field is a text field of a line; its bit stands for it in a set.
type field uint8

const (
	fieldTxn field = iota
	fieldDomain
	fieldSubject
	fieldAgent
	fieldActors
	fieldPeer
	fieldGateway
	fieldListener
	fieldRoute
	fieldRouteRule
	fieldBackends
	fieldSurface
	fieldMethod
	fieldName
	fieldHost
	fieldPath
	fieldVerdict
	fieldCode
	fieldRetry
	fieldLevel
	fieldPolicy
	fieldRule
	fieldReason
	fieldRevision
	fieldWould
	fieldRuleErrors
	fieldSeen
	fieldRequestID
	fieldEnd
	fieldDetail
	fieldBoot
	fieldResume
	numFields
)

// fieldSpec says how a field is written.
type fieldSpec struct {
	name string
	// key is the name in JSON with what stands around it.
	key string
	// limit is in bytes as written, escapes counted; of a list: all of it.
	limit int
}

// Limits by source: an HTTP path fits in 2 KiB or nobody reads it; object
// names are NAMESPACE/NAME (63 + 1 + 253) and section names 253; backends have
// a kind before that.
var fields = [numFields]fieldSpec{
	fieldTxn:        text("txn", 256),
	fieldDomain:     text("domain", 384),
	fieldSubject:    text("subject", 512),
	fieldAgent:      text("agent", 512),
	fieldActors:     list("actors", 2048),
	fieldPeer:       text("peer", 512),
	fieldGateway:    text("gateway", 384),
	fieldListener:   text("listener", 256),
	fieldRoute:      text("route", 384),
	fieldRouteRule:  text("route_rule", 256),
	fieldBackends:   list("backends", 2048),
	fieldSurface:    text("surface", 32),
	fieldMethod:     text("method", 128),
	fieldName:       text("name", 1024),
	fieldHost:       text("host", 512),
	fieldPath:       text("path", 2048),
	fieldVerdict:    text("verdict", 16),
	fieldCode:       text("code", 64),
	fieldRetry:      text("retry", 32),
	fieldLevel:      text("level", 64),
	fieldPolicy:     text("policy", 384),
	fieldRule:       text("rule", 256),
	fieldReason:     text("reason", 1024),
	fieldRevision:   text("revision", 128),
	fieldWould:      list("would", 2048),
	fieldRuleErrors: list("rule_errors", 2048),
	fieldSeen:       list("seen", 4096),
	fieldRequestID:  text("request_id", 128),
	fieldEnd:        text("end", 32),
	fieldDetail:     text("detail", 256),
	fieldBoot:       {name: "boot", limit: 512},
	fieldResume:     {name: "resume", limit: 512},
}

func text(name string, limit int) fieldSpec {
	return fieldSpec{name: name, key: `,"` + name + `":"`, limit: limit}
}

func list(name string, limit int) fieldSpec {
	return fieldSpec{name: name, key: `,"` + name + `":[`, limit: limit}
}

// maxLine is longer than any line that is written: the sum of all limits.
const maxLine = 32 << 10
