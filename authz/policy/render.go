package policy

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// Rendering is the memory of fields and their values, to be used again. The
// zero Rendering is ready.
type Rendering struct {
	names  []string
	fields []Field
	// values are those of fields, one behind the other.
	values []byte
}

// render appends names, in their order, with their values in q, up to limit
// bytes.
func (r *Rendering) render(q *Question, names []string, limit int) {
	for _, name := range names {
		f := Field{Name: name}
		limit -= len(name) + fieldOverhead
		if limit < 0 {
			return
		}
		from := len(r.values)
		r.values, f.Cut = q.appendField(r.values, name, limit)
		if len(r.values) > from {
			f.Value = slices.Clip(r.values[from:])
		}
		limit -= len(f.Value)
		r.fields = append(r.fields, f)
	}
}

// appendField appends one value as JSON; nothing: it is not known, or cut for
// being longer than limit. What is so as it came is not copied for that.
func (q *Question) appendField(b []byte, name string, limit int) (out []byte, cut bool) {
	if raw, ok := q.argument(name); ok {
		if len(raw) > limit {
			return b, true
		}
		return append(b, raw...), false
	}
	if s, ok := q.plainText(name); ok {
		if len(s) > limit {
			return b, true
		}
		out = appendJSONText(b, s)
	} else {
		out = q.appendValue(b, name)
	}
	if len(out)-len(b) > limit {
		return b, true
	}
	return out, false
}

// argument is the text of one argument, or of all; false: the field is none.
func (q *Question) argument(name string) (json.RawMessage, bool) {
	if name == varArgs {
		return q.Action.Args.Raw(), true
	}
	rest, ok := strings.CutPrefix(name, varArgs+".")
	if !ok {
		return nil, false
	}
	v, _ := q.Action.Args.Member(rest)
	return v.Raw(), true
}

// appendValue appends a value that is no text.
func (q *Question) appendValue(b []byte, name string) []byte {
	if name == varPort {
		if q.Action.Port == 0 {
			return b
		}
		return strconv.AppendUint(b, uint64(q.Action.Port), 10)
	}
	v := q.plainValue(name)
	if v == nil {
		return b
	}
	return appendJSON(b, v)
}

// plainText is the value of a field that is a text; false: it is none, or not
// known.
func (q *Question) plainText(name string) (string, bool) {
	s := ""
	switch name {
	case varTool, varModel:
		s = q.name(name)
	case varHost:
		s = q.Action.Host
	case varPath:
		s = q.Action.Path
	case varMethod:
		s = q.Action.Method
	case varPeer:
		s = q.Peer
	case varAgent:
		s, _ = q.agent()
	case varSubject:
		s, _ = q.subject()
	case varTxn:
		if q.Claims != nil {
			s = q.Claims.Txn
		}
	default:
		if isWord(name) {
			if w := wordOf(q.Action, name); w.Doubt == "" {
				s = w.Text
			}
		}
	}
	return s, s != ""
}

// name is the action's name where it is that of a tool or model, as asked for.
func (q *Question) name(field string) string {
	kind := v1alpha1.SurfaceTools
	if field == varModel {
		kind = v1alpha1.SurfaceModels
	}
	if q.Action.Kind != kind {
		return ""
	}
	return q.Action.Name
}

// appendJSONText appends s as a JSON string. Most texts need no escape.
func appendJSONText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return appendJSON(b, s)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// appendJSON appends v as JSON; nothing where it has none.
func appendJSON(b []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return b
	}
	return append(b, text...)
}
