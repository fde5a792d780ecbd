package leash

// Saw notes what Envoy has counted so far, in bytes of bodies from and to the
// client, of a hop that goes on.
func (r *Register) Saw(id ID, in, out uint64) {
	if h := r.saw(id, in, out); h != nil && h.Uploads != nil {
		// It may end hops, and then asks the register.
		h.Uploads.Saw(in)
	}
}

func (r *Register) saw(id ID, in, out uint64) *Hop {
	s := r.of(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hops[id]
	if h == nil || h.log != nil {
		return nil
	}
	h.logged.In, h.logged.Out = in, out
	h.seen = max(1, r.cfg.Now().Sub(h.entered))
	return h
}

// describeSeen tells what Envoy has counted, if it has.
func (r *Register) describeSeen(h *Hop, st *Stream) {
	s := r.of(h.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.seen > 0 {
		st.BytesIn, st.BytesOut, st.Seen = h.logged.In, h.logged.Out, h.entered.Add(h.seen)
	}
}
