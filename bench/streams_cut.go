package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/hopgate/hopgate/authz/contain"
)

// Codes by which streams end.
const (
	codeRevoked = "revoked"
	codeRefused = "no_rule"
)

// warm has a hopgate do what it is to do once, so that what comes with the
// first times is not counted.
func (h *herd) warm(ctx context.Context) error {
	cs, err := dialMany(ctx, h.layout.port, bystanders)
	if err != nil {
		return err
	}
	_, err = cs.press(ctx, requestFor(pathShort, h.token), warmFor)
	return errors.Join(err, cs.close())
}

const warmFor = 300 * time.Millisecond

// cutSome cuts streams one by one, by their transaction, and then all that are
// left, by their agent.
func (b *bench) cutSome(ctx context.Context, h *herd, t *toll) error {
	one := b.pick(5, 100)
	for n := range one {
		i := n * len(h.streams) / one // all over the connections
		begun := time.Now()
		if _, err := h.order(ctx, contain.KindTxn, txnOf(i), 1); err != nil {
			return err
		}
		at, _, err := h.ended(ctx, i, codeRevoked)
		if err != nil {
			return err
		}
		t.one = append(t.one, at.Sub(begun))
		if err := h.reopen(ctx, i); err != nil {
			return err
		}
	}
	b.mention("streams: cut %d", len(h.streams))
	w, err := h.watch(ctx)
	if err != nil {
		return err
	}
	begun := time.Now()
	order, err := h.order(ctx, contain.KindAgent, agent, len(h.streams))
	if err == nil {
		t.all, err = h.endings(ctx, t, begun, codeRevoked)
	}
	if err := errors.Join(err, w.end()); err != nil {
		return err
	}
	t.before, t.during, t.failed = w.around(begun, begun.Add(quantile(t.all, 1)))
	if _, err := h.admin.Lift(ctx, order.ID); err != nil {
		return err
	}
	return h.counted(ctx, 0)
}

// reopen puts a stream of another transaction where one was cut.
func (h *herd) reopen(ctx context.Context, i int) (err error) {
	if h.tokens[i], err = mint(h.key, "again-"+txnOf(i), time.Now()); err != nil {
		return err
	}
	if err := h.start(i); err != nil {
		return err
	}
	return h.begun(ctx, i)
}

// endings waits for the end of every stream, and returns how long each took.
func (h *herd) endings(ctx context.Context, t *toll, begun time.Time, code string) ([]time.Duration, error) {
	var took []time.Duration
	for i := range h.streams {
		at, told, err := h.ended(ctx, i, code)
		if err != nil {
			return nil, err
		}
		if !told {
			t.untold++
		}
		took = append(took, at.Sub(begun))
	}
	return took, nil
}

// cutByPolicy opens every stream once more, and then closes them by a policy.
func (b *bench) cutByPolicy(ctx context.Context, h *herd, t *toll) error {
	if _, err := h.open(ctx); err != nil {
		return err
	}
	b.mention("streams: close %d by policy", len(h.streams))
	begun := time.Now()
	if err := h.layout.rewrite(filepath.Join(h.dir, objectsDir), false); err != nil {
		return err
	}
	var err error
	if t.policy, err = h.endings(ctx, t, begun, codeRefused); err != nil {
		return err
	}
	return h.counted(ctx, 0)
}

const (
	// bystanders are connections that ask for something short while streams are
	// cut, each that often.
	bystanders = 4
	askEvery   = 2 * time.Millisecond
	// watchBefore is how long they ask before.
	watchBefore = 500 * time.Millisecond
)

// witness is who asks while others are cut.
type witness struct {
	crowd  crowd
	cancel context.CancelFunc
	wg     sync.WaitGroup
	seen   [][]sighting
	errs   []error
}

// sighting is one request.
type sighting struct {
	begun time.Time
	took  time.Duration
	// status is not 200 where the request failed.
	status int
}

// watch begins to ask as another agent, and returns when that has gone on for a
// while.
func (h *herd) watch(ctx context.Context) (*witness, error) {
	token, err := mintFor(h.key, "bystander", "txn-bystander", time.Now())
	if err != nil {
		return nil, err
	}
	cs, err := dialMany(ctx, h.layout.port, bystanders)
	if err != nil {
		return nil, err
	}
	return newWitness(ctx, cs, requestFor(pathShort, token))
}

// newWitness has each of a crowd, which is the witness's from now on, ask for
// the same.
func newWitness(ctx context.Context, cs crowd, request []byte) (*witness, error) {
	w := &witness{crowd: cs, seen: make([][]sighting, len(cs)), errs: make([]error, len(cs))}
	asking, cancel := context.WithCancel(ctx)
	w.cancel = cancel
	for i := range w.crowd {
		w.wg.Go(func() { w.errs[i] = w.ask(asking, i, request) })
	}
	if err := pause(ctx, watchBefore); err != nil {
		return nil, errors.Join(err, w.end())
	}
	return w, nil
}

func (w *witness) ask(ctx context.Context, i int, request []byte) error {
	t := time.NewTicker(askEvery)
	defer t.Stop()
	for ctx.Err() == nil {
		begun := time.Now()
		status, err := w.crowd[i].get(request)
		if err != nil {
			return fmt.Errorf("a short request of another: %w", err)
		}
		w.seen[i] = append(w.seen[i], sighting{begun, time.Since(begun), status})
		<-t.C
	}
	return nil
}

func (w *witness) end() error {
	w.cancel()
	w.wg.Wait()
	return errors.Join(errors.Join(w.errs...), w.crowd.close())
}

// around are requests that were over before, and those that were under way at
// any moment between, and how many of these failed.
func (w *witness) around(from, to time.Time) (before, during []time.Duration, failed int) {
	for _, seen := range w.seen {
		for _, s := range seen {
			switch end := s.begun.Add(s.took); {
			case end.Before(from):
				before = append(before, s.took)
			case s.begun.Before(to):
				during = append(during, s.took)
				if s.status != http.StatusOK {
					failed++
				}
			}
		}
	}
	return before, during, failed
}
