package serve

import "time"

// sweepsPerLinger is how often in a linger the references are looked at.
const sweepsPerLinger = 4

// sweep lets resources go that are no longer served and that nothing the Envoy
// has refers to since a while. An acknowledgement comes before Envoy's workers
// have changed over, and a refused update leaves its references in use.
func (s *stream) sweep(now time.Time) {
	if s.sweepAt.IsZero() || now.Before(s.sweepAt) {
		return
	}
	s.sweepAt = time.Time{}
	if len(s.leaving) == 0 {
		return
	}
	needed, vague := s.needed()
	for sl := range s.leaving {
		_, isNeeded := needed[sl.key]
		switch {
		case sl.released:
			continue
		case isNeeded || s.mayBeNeeded(sl.key.TypeURL, vague):
			sl.loose = time.Time{}
		case sl.loose.IsZero():
			sl.loose = now
		case now.Sub(sl.loose) >= s.limits.linger:
			sl.released = true
			s.review(sl, now)
			continue
		}
		s.sweepAt = now.Add(max(s.limits.linger/sweepsPerLinger, time.Millisecond))
	}
}

// needed are the leaving resources that something refers to which the Envoy
// has, or will have when it has read what was sent; and the types of which it
// has resources whose content is not known.
func (s *stream) needed() (needed map[Key]struct{}, vague map[string]bool) {
	needed, vague = map[Key]struct{}{}, map[string]bool{}
	note := func(ed *edition) {
		switch {
		case ed == nil:
		case ed.foreign:
			vague[ed.key.TypeURL] = true
		case len(ed.refs) > 0 && !s.cat.exact(ed):
			s.mark(ed, needed)
		}
	}
	for _, sub := range s.order {
		for _, sl := range sub.slots {
			note(sl.has)
			note(sl.may)
		}
	}
	for _, f := range s.flights {
		note(f.edition)
	}
	return needed, vague
}

func (s *stream) mark(ed *edition, needed map[Key]struct{}) {
	for _, r := range ed.refs {
		if sub := s.subs[r.TypeURL]; sub != nil && sub.slots[r.Name] != nil {
			needed[r] = struct{}{}
		}
	}
}

func (s *stream) mayBeNeeded(typeURL string, vague map[string]bool) bool {
	for _, t := range referrers(typeURL) {
		if vague[t] {
			return true
		}
	}
	return false
}
