package wire

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Target is the identity of the route that Envoy chose for a hop, as Envoy's
// own configuration states it. It is what was matched and what will be used:
// the guard judges this and not what its own model says of the route today.
type Target struct {
	// Gateway is NAMESPACE/NAME; empty on an inner hop, which has its tunnel's,
	// and on a canary, which is of none.
	Gateway string
	// Listener is the listener's name; empty on an inner hop.
	Listener string
	// Route is NAMESPACE/NAME of the HTTPRoute; empty on a Proxy listener.
	Route string
	// Rule is the rule's name, or #N by its position.
	Rule string
	// Surface is a v1alpha1.SurfaceType.
	Surface string
	// Provider is the dialect of a Models surface: openai, anthropic, gemini,
	// bedrock.
	Provider string
	// Backends are all that the rule may send to, KIND/NAMESPACE/NAME, sorted.
	Backends []string
	// Entry is how the hop entered.
	Entry Entry
	// BodyBytes is the largest body that Envoy sends with the Check; 0: none.
	BodyBytes int64
}

// Entry is the kind of listener that a hop entered by.
type Entry string

const (
	// EntryRoute is a listener with HTTPRoutes.
	EntryRoute Entry = "route"
	// EntryProxy is an explicit proxy.
	EntryProxy Entry = "proxy"
	// EntryInner is plain HTTP inside a CONNECT.
	EntryInner Entry = "inner"
	// EntryInspected is what came in a CONNECT by TLS that ended here.
	EntryInspected Entry = "inspected"
	// EntryCanary is a listener of canaries, by which hopgate proves an Envoy.
	EntryCanary Entry = "canary"
)

// InTunnel reports whether what entered so is inside a tunnel, whose identity
// it has.
func (e Entry) InTunnel() bool { return e == EntryInner || e == EntryInspected }

var errTarget = errors.New("malformed target")

// String encodes t; ParseTarget reads it back. Kubernetes names hold neither
// of the separators.
func (t Target) String() string {
	var b strings.Builder
	field := func(k byte, v string) {
		if v == "" {
			return
		}
		if b.Len() > 0 {
			b.WriteByte(';')
		}
		b.WriteByte(k)
		b.WriteByte('=')
		b.WriteString(v)
	}
	field('e', string(t.Entry))
	field('g', t.Gateway)
	field('l', t.Listener)
	field('r', t.Route)
	field('n', t.Rule)
	field('s', t.Surface)
	field('p', t.Provider)
	field('b', strings.Join(t.Backends, ","))
	if t.BodyBytes > 0 {
		field('m', strconv.FormatInt(t.BodyBytes, 10))
	}
	return b.String()
}

// ParseTarget decodes what Target.String wrote. A key that is unknown, given
// twice or without a value is an error: a target is never half read.
func ParseTarget(s string) (Target, error) {
	var t Target
	var seen [256]bool
	for f := range strings.SplitSeq(s, ";") {
		k, v, ok := strings.Cut(f, "=")
		if !ok || len(k) != 1 || v == "" || seen[k[0]] {
			return Target{}, errTarget
		}
		seen[k[0]] = true
		if err := t.set(k[0], v); err != nil {
			return Target{}, err
		}
	}
	if t.Entry == "" || (t.Gateway == "" && !t.Entry.InTunnel() && t.Entry != EntryCanary) {
		return Target{}, errTarget
	}
	return t, nil
}

func (t *Target) set(k byte, v string) error {
	switch k {
	case 'e':
		t.Entry = Entry(v)
	case 'g':
		t.Gateway = v
	case 'l':
		t.Listener = v
	case 'r':
		t.Route = v
	case 'n':
		t.Rule = v
	case 's':
		t.Surface = v
	case 'p':
		t.Provider = v
	case 'b':
		t.Backends = strings.Split(v, ",")
	case 'm':
		_, err := fmt.Sscan(v, &t.BodyBytes)
		return err
	default:
		return errTarget
	}
	return nil
}

// Clone is a copy that shares no memory with t.
func (t Target) Clone() Target {
	for _, s := range []*string{&t.Gateway, &t.Listener, &t.Route, &t.Rule, &t.Surface, &t.Provider, (*string)(&t.Entry)} {
		*s = strings.Clone(*s)
	}
	backends := make([]string, len(t.Backends))
	for i, b := range t.Backends {
		backends[i] = strings.Clone(b)
	}
	t.Backends = backends
	return t
}
