package explain

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/denial"
)

// FromRecord is the hop of a decision that was recorded: what rules read of it
// is in the record, and nothing else was needed. It is an error where rules
// were not asked, or where what they read was too long to be recorded.
func FromRecord(r *audit.Record) (*Hop, error) {
	if err := decided(r); err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	h := &Hop{
		Gateway: r.Gateway, Listener: r.Listener, Route: r.Route, Rule: r.RouteRule, Peer: r.Peer,
		Do: Do{Surface: r.Surface, Method: r.Method, Name: r.Name, Host: r.Host, Port: r.Port, Path: r.Path},
	}
	if r.Domain != "" {
		left := r.Expires.Sub(r.Time)
		h.Token = &Token{Domain: r.Domain, Subject: r.Subject, Agent: r.Agent, Txn: r.Txn, ExpiresIn: &left}
	}
	if err := h.seen(r.Seen); err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	return h, nil
}

// decided refuses what no rule decided, and what is not all there.
func decided(r *audit.Record) error {
	if r.Kind != audit.KindBegin && r.Kind != audit.KindDeny {
		return fmt.Errorf("a line of kind %s is no decision", r.Kind)
	}
	if r.Kind == audit.KindDeny && r.Level == "" && r.Code != denial.Unmatched {
		return fmt.Errorf("the hop was denied before any rule was asked: %s: %s", r.Code, r.Reason)
	}
	for _, field := range r.Cut {
		if slices.Contains([]string{"txn", "domain", "subject", "agent", "peer", "gateway", "listener", "route", "route_rule", "method", "name", "host", "path", "seen"}, field) {
			return fmt.Errorf("its %s was too long to be recorded whole", field)
		}
	}
	return nil
}

// seen puts the values that rules read where they were read from.
func (h *Hop) seen(fields []audit.Field) error {
	args, context := map[string]any{}, map[string]any{}
	for _, f := range fields {
		if f.Cut {
			return fmt.Errorf("%s was too long to be recorded", f.Name)
		}
		if f.Value == nil {
			continue
		}
		if err := h.put(f, args, context); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	var err error
	if h.Do.Args, err = object(args); err != nil || h.Token == nil {
		return err
	}
	h.Token.Context, err = object(context)
	return err
}

func (h *Hop) put(f audit.Field, args, context map[string]any) error {
	root, rest, _ := strings.Cut(f.Name, ".")
	switch {
	case root == "args" && rest == "":
		return json.Unmarshal(f.Value, &args)
	case root == "args":
		args[rest] = f.Value
	case root == "tctx" && rest == "":
		return json.Unmarshal(f.Value, &context)
	case root == "tctx":
		return putAt(context, strings.Split(rest, "."), f.Value)
	case f.Name == "scopes" && h.Token != nil:
		return json.Unmarshal(f.Value, &h.Token.Scopes)
	case root == "headers", root == "query":
		return h.Do.putWord(root, rest, f.Value)
	case f.Name == audit.FieldOverride:
		return json.Unmarshal(f.Value, &h.Do.Override)
	case f.Name == audit.FieldReleaseAge, f.Name == audit.FieldPinned:
		return h.Do.putPackage(f)
	case f.Name == audit.FieldOutputTokens:
		return json.Unmarshal(f.Value, &h.Do.OutputTokens)
	case f.Name == audit.FieldInspected:
		return json.Unmarshal(f.Value, &h.Do.Inspected)
	case f.Name == audit.FieldRequestBytes:
		return json.Unmarshal(f.Value, &h.Do.RequestBytes)
	}
	return nil
}

// putAt puts a value where a path of names leads.
func putAt(m map[string]any, path []string, value json.RawMessage) error {
	for _, name := range path[:len(path)-1] {
		next, ok := m[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			if raw, ok := m[name].(json.RawMessage); ok {
				if err := json.Unmarshal(raw, &next); err != nil {
					return err
				}
			}
			m[name] = next
		}
		m = next
	}
	m[path[len(path)-1]] = value
	return nil
}

func object(m map[string]any) (Object, error) {
	if len(m) == 0 {
		return nil, nil
	}
	return json.Marshal(m)
}
