package serve

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// edition is one built form of a resource. It is never changed.
type edition struct {
	key Key
	// version is a hash of the bytes; "" for an absence.
	version string
	// body is shared by all streams; nil: the resource is not there.
	body  *anypb.Any
	parts []Part
	// refs are the resources that this one refers to, sorted.
	refs []Key
	// seq orders editions by their making.
	seq uint64
	// foreign: only the version is known, from an Envoy that has it.
	foreign bool
	// stopgap: it says that there is nothing by this name.
	stopgap bool
}

// real reports whether an Envoy that has e has a resource of ours.
func (e *edition) real() bool { return e != nil && !e.stopgap }

// same reports whether an Envoy that has e needs nothing to have o.
func (e *edition) same(o *edition) bool { return e != nil && o != nil && e.version == o.version }

// absence is the edition of what does not exist.
func absence(k Key) *edition { return &edition{key: k, stopgap: true} }

// press makes editions.
type press struct {
	check    func(proto.Message) error
	maxBytes int
	seq      uint64
}

// build makes an edition of parts.
func (p *press) build(k Key, parts []Part, build func([]Part) (proto.Message, error)) (*edition, error) {
	m, err := build(parts)
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	ed, err := p.pack(k, m)
	if err != nil {
		return nil, err
	}
	ed.parts = parts
	return ed, nil
}

// pack validates and marshals m, once for all Envoys.
func (p *press) pack(k Key, m proto.Message) (*edition, error) {
	if err := isResource(k, m); err != nil {
		return nil, err
	}
	if err := validate(m); err != nil {
		return nil, err
	}
	refs, err := references(m)
	if err != nil {
		return nil, err
	}
	if p.check != nil {
		if err := p.check(m); err != nil {
			return nil, fmt.Errorf("check: %w", err)
		}
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("marshal: %w", err)
	}
	if len(raw) > p.maxBytes {
		return nil, fmt.Errorf("marshal: %d bytes are more than the %d that Envoy takes", len(raw), p.maxBytes)
	}
	p.seq++
	return &edition{
		key: k, version: hash(raw), refs: refs, seq: p.seq,
		body: &anypb.Any{TypeUrl: k.TypeURL, Value: raw},
	}, nil
}

func hash(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:16])
}

// isResource checks that m is what k says: Envoy would take the name of the
// envelope for that of the message.
func isResource(k Key, m proto.Message) error {
	if m == nil || !m.ProtoReflect().IsValid() {
		return errors.New("build: no message")
	}
	if got := typePrefix + string(m.ProtoReflect().Descriptor().FullName()); got != k.TypeURL {
		return fmt.Errorf("build: a %s", shortType(got))
	}
	if got, ok := nameOf(m); ok && got != k.Name {
		return fmt.Errorf("build: it is named %q", got)
	}
	return nil
}

// nameOf is the name that a message says of itself.
func nameOf(m proto.Message) (string, bool) {
	switch m := m.(type) {
	case interface{ GetClusterName() string }:
		return m.GetClusterName(), true
	case interface{ GetName() string }:
		return m.GetName(), true
	default:
		return "", false
	}
}

// validate runs the generated rules of m.
func validate(m proto.Message) error {
	v, ok := m.(interface{ Validate() error })
	if !ok {
		return nil
	}
	if err := v.Validate(); err != nil {
		return fmt.Errorf("validate: %w", err)
	}
	return nil
}
