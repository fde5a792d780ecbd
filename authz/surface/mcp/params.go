package mcp

import (
	"strings"

	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/surface"
)

// maxName is the longest name or URI that a request may work on, in bytes.
const maxName = 4096

// params reads what a request works on. All params are an object in MCP.
func (r *Request) params(m shape, params strictjson.Value) error {
	switch params.Kind() {
	case strictjson.Object:
	case strictjson.Absent:
		if m.subject != none {
			return surface.Refuse(surface.ReasonName)
		}
		return nil
	default:
		return surface.RefuseAt(surface.ReasonParams, params)
	}
	if err := surface.ExactNames(params, "name", "arguments", "uri", "ref", "taskId"); err != nil {
		return err
	}
	if err := r.subject(m.subject, params); err != nil || !m.args {
		return err
	}
	return r.arguments(params)
}

func (r *Request) subject(s subject, params strictjson.Value) error {
	switch s {
	case byName:
		return r.named(params, "name")
	case byTask:
		return r.named(params, "taskId")
	case byURI:
		return r.located(params)
	case byRef:
		return r.referred(params)
	}
	return nil
}

func (r *Request) named(object strictjson.Value, member string) error {
	v, _ := object.Member(member)
	s, ok := v.Text()
	if !ok || len(s) > maxName || !surface.CleanName(s) {
		return surface.RefuseAt(surface.ReasonName, v)
	}
	r.Name = strings.Clone(s)
	return nil
}

func (r *Request) located(object strictjson.Value) error {
	v, _ := object.Member("uri")
	s, ok := v.Text()
	if !ok || len(s) > maxName || !plainURI(s) {
		return surface.RefuseAt(surface.ReasonURI, v)
	}
	r.Name = strings.Clone(s)
	return nil
}

// referred reads the ref of completion/complete: a prompt by its name or a
// resource by its URI (template), and never both.
func (r *Request) referred(params strictjson.Value) error {
	ref, _ := params.Member("ref")
	if ref.Kind() != strictjson.Object {
		return surface.RefuseAt(surface.ReasonName, ref)
	}
	if err := surface.ExactNames(ref, "type", "name", "uri"); err != nil {
		return err
	}
	kind, _ := ref.Member("type")
	_, hasName := ref.Member("name")
	_, hasURI := ref.Member("uri")
	switch {
	case kind.Is("ref/prompt") && !hasURI:
		return r.named(ref, "name")
	case kind.Is("ref/resource") && !hasName:
		return r.located(ref)
	}
	return surface.RefuseAt(surface.ReasonName, ref)
}

// arguments takes the arguments of a call. Two that differ only in case are
// refused: a server may bind either to the parameter that a rule looked at.
func (r *Request) arguments(params strictjson.Value) error {
	v, ok := params.Member("arguments")
	if !ok {
		return nil
	}
	if v.Kind() != strictjson.Object {
		return surface.RefuseAt(surface.ReasonArguments, v)
	}
	if v.Len() > surface.MaxMembers {
		return surface.RefuseAt(surface.ReasonMembers, v)
	}
	if sameButCase(v) {
		return surface.RefuseAt(surface.ReasonCaseVariant, v)
	}
	r.Args = v
	return nil
}

// few is up to how many names every pair is compared.
const few = 16

func sameButCase(object strictjson.Value) bool {
	if object.Len() > few {
		return sameButCaseOfMany(object)
	}
	var names [few]string
	n := 0
	for name := range object.Members() {
		for _, have := range names[:n] {
			if strings.EqualFold(have, name) {
				return true
			}
		}
		names[n] = name
		n++
	}
	return false
}

func sameButCaseOfMany(object strictjson.Value) bool {
	seen := make(map[string]struct{}, object.Len())
	for name := range object.Members() {
		seen[strings.Map(surface.Fold, name)] = struct{}{}
	}
	return len(seen) < object.Len()
}
