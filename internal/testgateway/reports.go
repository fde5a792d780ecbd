package testgateway

import (
	"fmt"
	"strings"
	"sync"

	"github.com/hopgate/hopgate/authz/canary"
	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/gateway/controller"
)

// Reports collects what people are told. It is safe for concurrent use.
type Reports struct {
	mu   sync.Mutex
	text []string // guarded by mu
}

// Changed takes a report (laptop.Reporter).
func (r *Reports) Changed(c controller.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range c.Problems {
		r.text = append(r.text, p.String())
	}
	for _, s := range c.Statuses {
		for _, f := range s.Faults() {
			r.text = append(r.text, fmt.Sprintf("%s: %s: %s: %s: %s", s.Ref, f.Place, f.Type, f.Reason, f.Message))
		}
	}
}

// Ready takes the word that all is served (laptop.Reporter).
func (r *Reports) Ready(*laptop.Laptop) {}

// Proven takes what came of an attempt to prove an Envoy (laptop.Reporter).
func (r *Reports) Proven(v canary.Verdict) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text = append(r.text, "canaries: "+v.String())
}

// Says reports whether something was told that holds all of these.
func (r *Reports) Says(parts ...string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.text {
		all := true
		for _, p := range parts {
			all = all && strings.Contains(line, p)
		}
		if all {
			return true
		}
	}
	return false
}

// Times reports whether something that begins so was told at least n times.
func (r *Reports) Times(prefix string, n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.text {
		if strings.HasPrefix(line, prefix) {
			n--
		}
	}
	return n <= 0
}

func (r *Reports) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.text, "\n")
}
