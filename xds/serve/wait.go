package serve

import (
	"context"
	"fmt"
)

// Ready reports whether an Envoy has answered to everything that was desired
// when it connected: it has it, or what it refused is parked. The Envoy that
// is connected longest counts. Once true it stays true.
func (s *Server) Ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready
}

// Wait waits until at least one Envoy is connected and all that are have
// answered to what was desired at rev: they accepted it, or what they refused
// is parked. Removals, which come a linger later, are not waited for. It
// returns an error when ctx ends first.
func (s *Server) Wait(ctx context.Context, rev Revision) error {
	for {
		moved, live := s.look(rev)
		if live {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for revision %d: %w", rev, ctx.Err())
		case <-moved:
		}
	}
}

func (s *Server) look(rev Revision) (moved <-chan struct{}, live bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.streams) == 0 || rev > s.cat.revision {
		return s.moved, false
	}
	for _, c := range s.streams {
		if !c.met || !c.live(rev) {
			return s.moved, false
		}
	}
	return s.moved, true
}
