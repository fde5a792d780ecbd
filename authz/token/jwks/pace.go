package jwks

import (
	"encoding/binary"
	"io"
	"time"
)

// pace is how often a source is loaded.
type pace struct {
	// every is between good attempts, floor between any two that were asked
	// for and after a first failure.
	every, floor time.Duration
	// jitter spreads attempts of many gateways.
	jitter bool
}

// first is how long to wait with the first attempt.
func (p pace) first(v *View) time.Duration {
	if v.Set == nil {
		return 0
	}
	return p.every
}

// next is how long to wait after an attempt: every, or after failures twice as
// long each time, from floor to every; with jitter, up to a tenth less.
func (p pace) next(failures int, r io.Reader) time.Duration {
	d := p.every
	if failures > 0 {
		d = p.floor
		for i := 1; i < failures && d < p.every; i++ {
			d *= 2
		}
		d = min(d, p.every)
	}
	if p.jitter {
		d -= time.Duration(fraction(r) * float64(d) / 10)
	}
	return d
}

// slack is how long a set is current without a new attempt: the pace, and the
// time that one takes.
func (p pace) slack(timeout time.Duration) time.Duration { return p.every + timeout }

// fraction is a random number from 0 to 1; 0 where there is no randomness.
func fraction(r io.Reader) float64 {
	var b [4]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return 0
	}
	return float64(binary.BigEndian.Uint32(b[:])) / (1 << 32)
}
