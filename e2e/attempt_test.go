package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// scope is a test of which many are run in one: what it opens is closed with
// it, and what is fatal to it is not to the others.
type scope struct {
	testing.TB
	ctx    context.Context
	cancel context.CancelFunc
	mu     sync.Mutex
	undo   []func() // guarded by mu
}

// refusal is what a scope failed of.
type refusal string

func newScope(t testing.TB) *scope {
	ctx, cancel := context.WithCancel(t.Context())
	return &scope{TB: t, ctx: ctx, cancel: cancel}
}

func (s *scope) Context() context.Context { return s.ctx }

// Cleanup has f called when the scope ends.
func (s *scope) Cleanup(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.undo = append(s.undo, f)
}

// Fatal and Fatalf end the scope.
func (s *scope) Fatal(args ...any) { panic(refusal(fmt.Sprint(args...))) }

func (s *scope) Fatalf(format string, args ...any) { panic(refusal(fmt.Sprintf(format, args...))) }

func (s *scope) Error(args ...any) { s.Fatal(args...) }

func (s *scope) Errorf(format string, args ...any) { s.Fatalf(format, args...) }

func (s *scope) close() {
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range slices.Backward(s.undo) {
		f()
	}
	s.undo = nil
}

// attempt opens a stream, and says why it was not opened.
func (m *matrix) attempt(s *scope, k kind, b brief, token string) (l *live, why string) {
	defer func() {
		if r := recover(); r != nil {
			text, ok := r.(refusal)
			if !ok {
				panic(r)
			}
			l, why = nil, string(text)
		}
	}()
	return k.open(s, m, b, token), ""
}

// tooBusy reports whether a stream was refused because this machine is busy:
// the guard was not asked, or heard, in the half second that Envoy gives it.
func tooBusy(why string) bool {
	for _, s := range []string{"503", "504", "Unavailable", "DeadlineExceeded", "not_ready"} {
		if strings.Contains(why, s) {
			return true
		}
	}
	return false
}
