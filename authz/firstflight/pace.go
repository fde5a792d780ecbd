package firstflight

import (
	"sync"
	"time"
)

const (
	// paceRate is how many bytes a second the guard passes on for all tunnels that
	// keep their side stream: what comes faster than that can be is kept by Envoy,
	// which knows no bound there, until its memory is full. It is far below what
	// can be passed: who sends fast leaves no time for the rest.
	paceRate = 2 << 20
	// paceBurst is what it passes on at once.
	paceBurst = 4 << 20
	// paceFree is what each tunnel may send whatever the others do, and at nobody's
	// cost.
	paceFree = 256 << 10
)

// pace counts what is passed on for all tunnels.
type pace struct {
	now func() time.Time

	mu   sync.Mutex
	left float64   // guarded by mu
	at   time.Time // guarded by mu; when left was that
}

func newPace(now func() time.Time) *pace { return &pace{now: now, left: paceBurst, at: now()} }

// take reports whether n bytes more may be passed on of a tunnel that has sent
// so many already.
func (p *pace) take(n, sent int) bool {
	if sent+n <= paceFree {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if d := now.Sub(p.at); d > 0 {
		p.left = min(paceBurst, p.left+d.Seconds()*paceRate)
		p.at = now
	}
	if p.left < float64(n) {
		return false
	}
	p.left -= float64(n)
	return true
}
