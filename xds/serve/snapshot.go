package serve

import (
	"slices"
	"strings"
	"time"
)

// Counts are of one stream's responses.
type Counts struct {
	Sent, Acked, Refused uint64
	// Stale are answers to nothing that was sent.
	Stale uint64
	// Overdue are updates that were sent although a cluster did not come in time.
	Overdue uint64
}

// Snapshot is what the server has and what each Envoy has of it, for people
// and metrics. Lists are sorted.
type Snapshot struct {
	Revision Revision
	Ready    bool
	// Resources are what is served, Desired how many are wanted.
	Resources, Desired int
	Parked             []Parked
	Streams            []StreamState
}

// Parked is a part that is not offered until its content changes or Retry is
// called.
type Parked struct {
	Resource Key
	// Owner is KIND/NAMESPACE/NAME.
	Owner   string
	Version string
	Message string
}

// StreamState is one connected Envoy.
type StreamState struct {
	ID    uint64
	Node  Node
	Since time.Time
	Counts
	Types []TypeState
}

// TypeState is one type on one stream.
type TypeState struct {
	TypeURL  string
	Wildcard bool
	// Held are the resources that the Envoy accepted.
	Held []HeldResource
	// Pending counts those that are not as they should be, Sent those among
	// them that wait for an answer, Gated those that wait for clusters, and
	// Leaving those that are about to be removed.
	Pending, Sent, Gated, Leaving int
}

// HeldResource is a resource that an Envoy has.
type HeldResource struct{ Name, Version string }

// Snapshot shows the state. It holds up the server for as long as it takes.
func (s *Server) Snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Snapshot{
		Revision: s.cat.revision, Ready: s.ready,
		Desired: len(s.cat.desired), Parked: s.cat.parked(),
	}
	for _, e := range s.cat.entries {
		if e.good != nil || e.offer != nil {
			out.Resources++
		}
	}
	for _, id := range s.sortedStreams() {
		out.Streams = append(out.Streams, s.streams[id].state())
	}
	return out
}

func (c *catalogue) parked() []Parked {
	var out []Parked
	for _, e := range c.entries {
		for o, f := range e.faults {
			out = append(out, Parked{Resource: e.key, Owner: o.String(), Version: f.version, Message: f.words})
		}
	}
	slices.SortFunc(out, func(a, b Parked) int {
		if n := a.Resource.compare(b.Resource); n != 0 {
			return n
		}
		return strings.Compare(a.Owner, b.Owner)
	})
	return out
}

func (c *connection) state() StreamState {
	out := StreamState{ID: uint64(c.id), Node: c.node, Since: c.from, Counts: c.counts}
	for _, sub := range c.order {
		out.Types = append(out.Types, c.typeState(sub))
	}
	return out
}

func (s *stream) typeState(sub *subscription) TypeState {
	out := TypeState{TypeURL: sub.typeURL, Wildcard: sub.wildcard, Gated: len(sub.gated)}
	for _, sl := range sub.slots {
		if sl.has.real() {
			out.Held = append(out.Held, HeldResource{sl.key.Name, sl.has.version})
		}
		if _, in := s.unsettled[sl]; in {
			out.Pending++
		}
		if _, in := s.leaving[sl]; in {
			out.Leaving++
		}
		if sl.flight != nil {
			out.Sent++
		}
	}
	slices.SortFunc(out.Held, func(a, b HeldResource) int { return strings.Compare(a.Name, b.Name) })
	return out
}
