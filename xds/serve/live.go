package serve

// live reports whether the Envoy has answered to all that was desired at a
// revision: it accepted it, or what it refused is parked. Removals, which come
// later, do not count.
func (s *stream) live(rev Revision) bool {
	for sl := range s.unsettled {
		if sl.since <= rev {
			return false
		}
	}
	return s.asked()
}

// asked reports whether the client has subscribed to all that it must want.
func (s *stream) asked() bool {
	for _, t := range []string{TypeCluster, TypeListener} {
		sub := s.subs[t]
		if sub == nil {
			if len(s.cat.types[t]) > 0 {
				return false
			}
			continue
		}
		for _, sl := range sub.slots {
			if !s.askedFor(sl.has) {
				return false
			}
		}
	}
	return true
}

// askedFor reports whether the client was told all names that ed leads it to.
func (s *stream) askedFor(ed *edition) bool {
	if ed == nil {
		return true
	}
	for _, r := range ed.refs {
		if r.TypeURL != TypeCluster && s.held(r) == nil {
			return false
		}
	}
	return true
}
