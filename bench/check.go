package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hopgate/hopgate/authz/token"
)

// Budgets of a decision (design, section 8).
const (
	budgetCheckCPU    = 25 // us, the whole server, 64 at once
	budgetCheckAllocs = 60 // a decision, the whole server
	budgetAddedCPU    = 5  // us above a blind server
	budgetAddedP99    = 12 // us above a blind server
)

// rulesAtCheck is how many rules the guard has.
const rulesAtCheck = 1000

// volleySize is less than what a register lets wait, and short enough for the
// sweep of it to see nothing late.
const volleySize = 4000

// contender is a checker and what was measured of it.
type contender struct {
	role   string
	child  *child
	asker  *asker
	byLoad map[int]*series
}

// series is what was measured of a contender under one load.
type series struct {
	// All are by round. p50 and p99 are of the answers, cpu, mallocs and bytes
	// of one decision, ends is the CPU of the end of one hop.
	p50, p99, cpu, ends []time.Duration
	mallocs, bytes      []float64
}

func (b *bench) check(ctx context.Context) (out []figure, err error) {
	var all []*contender
	defer func() {
		for _, c := range all {
			err = errors.Join(err, c.asker.close(), c.child.stop())
		}
	}()
	feed, question, err := checkInput()
	if err != nil {
		return nil, err
	}
	for _, role := range []string{roleGuard, roleBlind, roleDecoding} {
		c, err := b.contender(ctx, role, feed, question)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	for _, atOnce := range []int{1, 64} {
		if err := b.compete(ctx, all, atOnce); err != nil {
			return nil, err
		}
	}
	return checkFigures(all[0].byLoad, all[1].byLoad, all[2].byLoad), nil
}

// checkInput is a feed in JSON, and a question that its last rule allows.
func checkInput() (feedJSON, ask []byte, err error) {
	key, err := token.Generate(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	raw, err := mint(key, "txn-1", now)
	if err != nil {
		return nil, nil, err
	}
	if ask, err = question(toolName(rulesAtCheck-1), raw, now); err != nil {
		return nil, nil, err
	}
	feedJSON, err = json.Marshal(feed(key.JWKS(), policiesOf(rulesAtCheck, toolRule)))
	return feedJSON, ask, err
}

func (b *bench) contender(ctx context.Context, role string, feed, question []byte) (*contender, error) {
	dir, err := b.folder(role)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, feedFile), feed, 0o600); err != nil {
		return nil, fmt.Errorf("write the feed: %w", err)
	}
	c := &contender{role: role, byLoad: map[int]*series{}}
	if c.child, err = b.start(ctx, spec{Role: role, Dir: dir}); err != nil {
		return nil, err
	}
	if c.asker, err = newAsker(dir, question); err != nil {
		return nil, errors.Join(err, c.child.stop())
	}
	return c, nil
}

// compete asks all in turn, so that what else the machine does concerns all.
// The first round warms up and does not count.
func (b *bench) compete(ctx context.Context, all []*contender, atOnce int) error {
	n := b.pick(500, volleySize)
	rounds := 0
	for begun := time.Now(); rounds < 4 || time.Since(begun) < b.span()*time.Duration(len(all)); rounds++ {
		for _, c := range all {
			b.mention("check: %d at once, round %d", atOnce, rounds+1)
			if err := c.round(ctx, n, atOnce); err != nil {
				return fmt.Errorf("%s: %w", c.role, err)
			}
		}
		if rounds == 0 {
			for _, c := range all {
				c.byLoad[atOnce] = &series{}
			}
		}
	}
	return nil
}

// round is one volley, and the ends of its hops.
func (c *contender) round(ctx context.Context, n, atOnce int) error {
	s := c.byLoad[atOnce]
	if s == nil {
		s = &series{}
		c.byLoad[atOnce] = s
	}
	before, err := c.child.report()
	if err != nil {
		return err
	}
	v, err := c.asker.ask(ctx, n, atOnce)
	if err != nil {
		return err
	}
	after, err := c.child.report()
	if err != nil {
		return err
	}
	s.p50, s.p99 = append(s.p50, quantile(v.took, 0.5)), append(s.p99, quantile(v.took, 0.99))
	s.cpu = append(s.cpu, (after.CPU-before.CPU)/time.Duration(n))
	s.mallocs = append(s.mallocs, float64(after.Mallocs-before.Mallocs)/float64(n))
	s.bytes = append(s.bytes, float64(after.Bytes-before.Bytes)/float64(n))
	if c.role != roleGuard {
		return nil
	}
	ends, err := c.ends(ctx, v, after)
	s.ends = append(s.ends, ends/time.Duration(n))
	return err
}

// endedWithin is how long the ends of a volley may take.
const endedWithin = 10 * time.Second

// ends has every hop of a volley ended, and returns what that cost.
func (c *contender) ends(ctx context.Context, v *volley, before report) (time.Duration, error) {
	if before.Live < len(v.answers) {
		return 0, fmt.Errorf("%d of %d hops are in the register", before.Live, len(v.answers))
	}
	if err := c.asker.end(ctx, v); err != nil {
		return 0, err
	}
	for deadline := time.Now().Add(endedWithin); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		now, err := c.child.report()
		if err != nil || now.Live == 0 {
			return now.CPU - before.CPU, err
		}
	}
	return 0, errors.New("the hops of a volley did not end")
}

func checkFigures(guard, blind, decoding map[int]*series) []figure {
	var out []figure
	for _, atOnce := range []int{1, 64} {
		out = append(out, loadFigures(guard[atOnce], blind[atOnce], atOnce)...)
	}
	none := blind[64]
	out = append(out, addedFigures(guard, blind)...)
	return append(out,
		newFigure("check/end-cpu", "CPU of the end of a hop, told by Envoy's log", quiet(guard[64].ends), micros),
		newFigure("check/decoding-cpu", "CPU of always-OK that decodes the question, 64 at once; baseline: that does not", quiet(decoding[64].cpu), micros).
			against(quiet(none.cpu)),
		newFigure("check/decoding-allocs", "its allocations", median(decoding[64].mallocs), count).against(median(none.mallocs)),
	)
}

// addedFigures are what a decision costs above none. For p99 rounds that were
// one after the other are compared. How far the baseline's own rounds lie apart
// is how exactly either can be known.
func addedFigures(guard, blind map[int]*series) []figure {
	cpu := quiet(guard[64].cpu) - quiet(blind[64].cpu)
	p99 := difference(guard[1].p99, blind[1].p99)
	return []figure{
		newFigure("check/added-cpu", "CPU of a decision above always-OK, 64 at once", cpu, micros).judged(budgetAddedCPU, spread(blind[64].cpu)),
		newFigure("check/added-p99", "p99 of a decision above always-OK, 1 at once", p99, micros).judged(budgetAddedP99, spread(blind[1].p99)),
	}
}

// loadFigures are of the guard against a blind server, so many at once.
func loadFigures(guard, blind *series, atOnce int) []figure {
	name := func(s string) string { return fmt.Sprintf("check/%d/%s", atOnce, s) }
	cpu := newFigure(name("cpu"), "server CPU of a decision", quiet(guard.cpu), micros).against(quiet(blind.cpu))
	mallocs := newFigure(name("allocs"), "server allocations of a decision", median(guard.mallocs), count).against(median(blind.mallocs))
	if atOnce > 1 {
		cpu, mallocs = cpu.within(budgetCheckCPU), mallocs.within(budgetCheckAllocs)
	}
	p50, p50Blind := inMicros(median(guard.p50)), inMicros(median(blind.p50))
	p99, p99Blind := inMicros(median(guard.p99)), inMicros(median(blind.p99))
	return []figure{
		newFigure(name("p50"), fmt.Sprintf("Check, %d at once; baseline: always-OK", atOnce), p50, micros).against(p50Blind),
		newFigure(name("p99"), fmt.Sprintf("Check, %d at once", atOnce), p99, micros).against(p99Blind),
		cpu, mallocs,
		newFigure(name("bytes"), "bytes that the server allocates for a decision", median(guard.bytes), "B").against(median(blind.bytes)),
	}
}
