package leash

import (
	"sync/atomic"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
)

// Hop is one decided hop while it lives. What it carries for others is set
// before it is entered and never changed.
type Hop struct {
	ID ID
	// Parent is the tunnel that the hop is inside of; zero: none.
	Parent ID
	// Epoch is that of the feed by which it was allowed.
	Epoch uint64
	// Until is when it ends by itself, on the monotonic clock, if nobody moves
	// that; zero: never.
	Until time.Time
	// Last is when it ends at the latest: Envoy was told so. Zero: at Until.
	Last time.Time
	// Held is false for hops that go without a hold.
	Held bool
	// Relay is true where the hold carries the answer's body, Upgrade where
	// the client asked for a WebSocket.
	Relay, Upgrade bool
	// Canary is true of hopgate's own hops, of which nobody is told.
	Canary bool
	// Mute is true of a canary whose first flight is never answered.
	Mute bool
	// Uploads counts what the client sends; nil: nobody does.
	Uploads Uploads
	// Heard is told of the answer's headers when they come; nil: nobody is. Envoy
	// waits for it.
	Heard func(*Answer)
	// Subject is what the decider needs to judge the hop again.
	Subject any

	entered time.Time
	state   atomic.Uint32 // a state
	goodbye atomic.Bool   // the server of a WebSocket has said that it ends
	young   int32         // guarded by the register's shard; its place among the young, or notYoung
	keys    *slots        // guarded by the register's shard; nil while it is young
	cut     func(Cut)     // guarded by the register's shard
	until   time.Time     // guarded by the register's shard; Until, or where it was moved to
	timer   *time.Timer   // guarded by the register's shard
	cutBy   Cut           // guarded by the register's shard
	closed  time.Time     // guarded by the register's shard
	log     *Logged       // guarded by the register's shard; nil, or logged
	logged  Logged        // guarded by the register's shard; what is counted so far, until log is set
	seen    time.Duration // guarded by the register's shard; how old it was when that was counted; 0: never
	down    bool          // guarded by the register's shard; the gateway went down first
	left    bool          // guarded by the register's shard; nobody waited for the decision
	unkeyed bool          // guarded by the register's shard; found by every key, and not asked for its own until it is renamed
}

// Uploads counts the bytes of a request's body.
type Uploads interface {
	// Take counts n bytes that are about to be sent on, and reports whether they
	// may be.
	Take(n int) bool
	// Unkept reports whether what Take refused had room, but could not be kept
	// count of.
	Unkept() bool
	// Saw is told how many there were by now.
	Saw(total uint64)
}

type state uint32

const (
	statePending state = iota
	stateLive
	stateClosed
)

// State reports whether the hop is live: its hold is open, or it has none.
func (h *Hop) live() bool { return state(h.state.Load()) == stateLive }

// Over reports whether the hop's hold has closed, or the hop has ended otherwise.
func (h *Hop) Over() bool { return state(h.state.Load()) == stateClosed }

// meant reports whether the hop can be meant by an event: it is live, is not
// being cut, and is not hopgate's own. The shard is locked.
func (h *Hop) meant() bool { return h.live() && h.cutBy.Code == "" && !h.Canary }

// wordLead is how long before a known end a relay says its last word: at the
// end itself Envoy breaks the hop off, and no word comes through.
const wordLead = 250 * time.Millisecond

// lead is when a hop that has left to live is ended by us.
func (h *Hop) lead(left time.Duration) time.Duration {
	if h.Relay && left > 4*wordLead {
		return left - wordLead
	}
	return left
}

// Answer is what the headers of an answer say. It is for one call.
type Answer struct {
	Status string
	// Location is where a redirect leads to; empty: nowhere, or to more than one
	// place.
	Location string
}

// Cut is an order to end a hop now.
type Cut struct {
	// Code is a name of the denial table.
	Code string
	// Detail is left in Envoy's response code details.
	Detail string
}

// Logged is what Envoy's access log says of a hop.
type Logged struct {
	// In and Out are bytes of bodies from and to the client.
	In, Out  uint64
	Duration time.Duration
	Status   uint32
	// Details are Envoy's response code details.
	Details string
	// ClientLeft is Envoy's flag for a client that closed first.
	ClientLeft bool
}

// Ending is the end of a hop.
type Ending struct {
	How audit.End
	// Log is nil where Envoy's log did not come.
	Log     *Logged
	Lived   time.Duration
	CutCode string
}
