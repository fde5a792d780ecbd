package budget

import (
	"math"
	"time"
)

// twelfths is how many slices a window has, slots how many count: the oldest one
// is in part older than the window, and counts until all of it is.
const (
	twelfths = 12
	slots    = twelfths + 1
)

// Kind is what a principal is known by.
type Kind uint8

const (
	// Agent is the actor of a token, Subject whom a token without one is for,
	// Peer the workload of a hop without a token.
	Agent Kind = iota
	Subject
	Peer
)

// Principal is who uses something: a value, and the trust domain in which it
// means something; a peer's value has its own.
type Principal struct {
	Kind          Kind
	Domain, Value string
}

// Limit is what one rule gives each principal in a window. Of a zero there is
// no limit.
type Limit struct {
	// Policy and Rule name it: NAMESPACE/NAME, and the rule's name.
	Policy, Rule string
	UploadBytes  int64
	Names        int64
	Window       time.Duration
}

// key is what is counted apart.
type key struct {
	principal    Principal
	policy, rule string
	window       time.Duration
}

// account is what one principal has used of one rule.
type account struct {
	key key
	// at is the slice that is being counted in.
	at    int64
	bytes [slots]int64
	// names are hashes of those gone to.
	names map[uint64]use
	// kept is what the file counts in each slice: as much as bytes or more, once
	// it has what ticket says.
	kept   [slots]int64
	ticket ticket
	// live are the hops that are counted while they live.
	live map[*Charge]struct{}
	// bare is what it takes in the file without its names, at most; weight is how
	// much of the book's weight it is.
	bare, weight int64
}

// These are more than a slice of bytes and a name take in the file.
const (
	sliceWeight = 64
	nameWeight  = 64
)

func newAccount(k key) *account {
	return &account{key: k, bare: int64(len(lineOf(k).append(nil))) + (slots+1)*sliceWeight}
}

// use is the slice in which a name was gone to for the last time, and whether the
// file has that.
type use struct {
	at   int64
	kept bool
}

// width is how long a slice is.
func (a *account) width() time.Duration { return max(1, a.key.window/twelfths) }

// turn forgets what is older than the window. A clock that goes back changes
// nothing.
func (a *account) turn(now time.Time) {
	at := now.UnixNano() / int64(a.width())
	if at <= a.at {
		return
	}
	for i := a.at + 1; i <= at && i <= a.at+slots; i++ {
		a.bytes[i%slots], a.kept[i%slots] = 0, 0
	}
	for n, last := range a.names {
		if at-last.at >= slots {
			delete(a.names, n)
		}
	}
	a.at = at
}

// used is how many bytes count now. It never overflows.
func (a *account) used() int64 {
	var n int64
	for _, b := range a.bytes {
		n = plus(n, b)
	}
	return n
}

func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

func (a *account) add(n int64) {
	i := a.at % slots
	a.bytes[i] = plus(a.bytes[i], n)
}

// giveBack takes n off the slice it was counted in, if that still counts.
func (a *account) giveBack(n, at int64) {
	if a.at-at >= slots || at > a.at {
		return
	}
	a.bytes[at%slots] = max(0, a.bytes[at%slots]-n)
}

// room is when there will be room for n bytes more, if nothing else is used;
// false: never.
func (a *account) room(n, limit int64, now time.Time) (wait time.Duration, ever bool) {
	if n > limit {
		return 0, false
	}
	used := a.used()
	for i := a.at - slots + 1; i <= a.at; i++ {
		if used <= limit-n {
			return a.until(i, now), true
		}
		used -= a.bytes[(i%slots+slots)%slots]
	}
	return a.until(a.at+1, now), true
}

// until is when slice i-1 is forgotten.
func (a *account) until(i int64, now time.Time) time.Duration {
	return max(0, time.Unix(0, (i-1+slots)*int64(a.width())).Sub(now))
}

// name notes that a principal goes to a host. It reports whether there is room,
// and whether it is a new one.
func (a *account) name(h uint64, limit int64) (ok, fresh bool) {
	if last, there := a.names[h]; there {
		a.names[h] = use{a.at, last.kept && last.at == a.at}
		return true, false
	}
	if int64(len(a.names)) >= limit {
		return false, false
	}
	if a.names == nil {
		a.names = map[uint64]use{}
	}
	a.names[h] = use{at: a.at}
	return true, true
}

// nextName is when the oldest name is forgotten.
func (a *account) nextName(now time.Time) time.Duration {
	oldest := a.at
	for _, last := range a.names {
		oldest = min(oldest, last.at)
	}
	return a.until(oldest+1, now)
}

// idle reports whether nothing of a counts any more.
func (a *account) idle() bool { return len(a.live) == 0 && len(a.names) == 0 && a.used() == 0 }
