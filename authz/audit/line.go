package audit

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// The shape that every line has, so that its place in the chain can be read
// without decoding all of it.
const (
	seqKey  = `{"seq":`
	timeKey = `,"time":"`
	bootKey = `,"boot_id":"`
	kindKey = `,"kind":"`
	prevKey = `,"prev":"`
	sigKey  = `,"sig":"`
)

var errLine = errors.New("not a line of an audit log")

// line is what the chain needs of one.
type line struct {
	seq  uint64
	time []byte
	kind Kind
	prev digest
	// signed is what sig is over; nil: not a checkpoint.
	signed []byte
	sig    []byte
}

// parseLine reads a line without its newline. It takes nothing but what the
// encoder writes: one JSON object whose first and last members are ours.
func parseLine(b []byte) (line, error) {
	if len(b) > maxLine || !json.Valid(b) || bytes.IndexByte(b, '\r') >= 0 {
		return line{}, errLine
	}
	l, ok := parseHead(b)
	if !ok {
		return line{}, errLine
	}
	if l.kind == KindCheckpoint {
		if b, ok = l.cutSig(b); !ok {
			return line{}, errLine
		}
	} else if b, ok = bytes.CutSuffix(b, []byte("}")); !ok {
		return line{}, errLine
	}
	if !l.setPrev(b) {
		return line{}, errLine
	}
	return l, nil
}

func parseHead(b []byte) (l line, ok bool) {
	rest, ok := bytes.CutPrefix(b, []byte(seqKey))
	n := bytes.IndexByte(rest, ',')
	if !ok || n <= 0 || rest[0] == '0' {
		return l, false
	}
	seq, err := strconv.ParseUint(string(rest[:n]), 10, 64)
	if err != nil || seq == math.MaxUint64 {
		return l, false
	}
	l.seq, rest = seq, rest[n:]
	if l.time, rest, ok = member(rest, timeKey); !ok {
		return l, false
	}
	if _, rest, ok = member(rest, bootKey); !ok {
		return l, false
	}
	kind, _, ok := member(rest, kindKey)
	l.kind = kindOf(kind)
	return l, ok
}

// kindOf converts without allocating for the kinds that we know.
func kindOf(b []byte) Kind {
	for _, k := range [...]Kind{KindBegin, KindEnd, KindDeny, KindChange, KindCheckpoint, KindBoot, KindRotate, KindResume} {
		if string(b) == string(k) {
			return k
		}
	}
	return Kind(b)
}

// member reads a member whose value needs no escapes.
func member(b []byte, key string) (value, rest []byte, ok bool) {
	b, ok = bytes.CutPrefix(b, []byte(key))
	n := bytes.IndexByte(b, '"')
	if !ok || n < 0 || bytes.IndexByte(b[:n], '\\') >= 0 {
		return nil, nil, false
	}
	return b[:n], b[n+1:], true
}

// cutSig takes a checkpoint's last member off; what stays is what was signed.
func (l *line) cutSig(b []byte) ([]byte, bool) {
	i := bytes.LastIndex(b, []byte(sigKey))
	if i < 0 || !bytes.HasSuffix(b, []byte(`"}`)) {
		return nil, false
	}
	text := b[i+len(sigKey) : len(b)-len(`"}`)]
	sig, err := base64.RawStdEncoding.Strict().DecodeString(string(text))
	l.signed, l.sig = b[:i], sig
	return b[:i], err == nil
}

// setPrev reads the last member.
func (l *line) setPrev(b []byte) bool {
	at := len(b) - len(prevKey) - 2*len(l.prev) - 1
	if at < 0 || !bytes.HasPrefix(b[at:], []byte(prevKey)) || b[len(b)-1] != '"' {
		return false
	}
	return decodeHex(l.prev[:], b[at+len(prevKey):len(b)-1]) == nil
}

// Decode reads one line, with or without its newline. Members that it does
// not know are ignored: a newer version may have written them. What it returns
// is what an agent sent: show it with Display or Quote only.
func Decode(b []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(b, &r); err != nil {
		return Record{}, fmt.Errorf("decode audit line: %w", err)
	}
	// The member is in microseconds.
	if r.Duration < 0 || r.Duration > math.MaxInt64/time.Microsecond {
		return Record{}, fmt.Errorf("decode audit line: %w: duration_us", errLine)
	}
	r.Duration *= time.Microsecond //nolint:durationcheck // a count until here
	return r, nil
}
