package leash

import "github.com/hopgate/hopgate/gateway/api/wire"

// Limited is the cut of a hop whose budget has no room for what it sends.
func Limited() Cut { return Cut{Code: codeBudget, Detail: wire.DetailLimit} }

// unkept is the cut of a hop whose budget has room, which cannot be kept count of.
func unkept() Cut { return Cut{Code: codeInternal, Detail: wire.DetailRefused} }

const (
	// codeBudget is the code of a budget that is used up, codeInternal that of what
	// the gateway fails in.
	codeBudget   = "budget_exhausted"
	codeInternal = "internal"
)

// meter carries the body of a live hop's request, and counts it before it goes
// on: no byte passes that there is no room for. The hop is held by its leash,
// which ends it; a meter that breaks ends it too.
func (h *Holder) meter(s *side, id ID) error {
	hop, ok := h.register.Live(id)
	if !ok || hop.Uploads == nil {
		return h.refuse(s, nil, "unknown hop id, or a meter that was not ordered")
	}
	defer s.close()
	if err := s.send(s.phrases.leash); err != nil {
		return errClosed(err)
	}
	var m said
	defer m.free()
	for {
		if err := s.stream.RecvMsg(&m); err != nil {
			return errClosed(err)
		}
		if err := h.metered(s, hop, &m); err != nil {
			return errClosed(err)
		}
		m.free() // one that is silent keeps nothing
	}
}

// metered passes one message on, or ends the hop. What came behind a piece that
// did not pass does not pass either: there is no room for it.
func (h *Holder) metered(s *side, hop *Hop, m *said) error {
	switch m.kind {
	case kindRequestBody:
		if len(m.body) > 0 && !hop.Uploads.Take(len(m.body)) {
			h.register.Cut(hop.ID, untaken(hop.Uploads))
			s.close()
			return nil
		}
		return s.send(passOn(m))
	case kindRequestTrailers: // Envoy takes out all that is in them before they go on
		return s.send(s.phrases.requestTrailers)
	default:
		h.log.Warn("unexpected message on a meter", "kind", m.kind.String())
		return nil
	}
}

// untaken is the cut of a hop whose piece was not taken. Who is out of room is
// told so, and nobody else.
func untaken(u Uploads) Cut {
	if u.Unkept() {
		return unkept()
	}
	return Limited()
}
