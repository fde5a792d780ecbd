// Package controller joins source, translation, and those who are told: the
// guards by the feed, Envoy by the graph, people by statuses.
//
// One goroutine (Run) owns the Translator. Deltas and outcomes enter by
// Deliver and Observe, which wait until they were worked on. What a guard
// decides by is told before what Envoy routes by, so that no route is served
// whose rules are not known yet.
package controller

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
	"github.com/hopgate/hopgate/gateway/translate"
)

// Guards take the feed. ApplyFeed returns when the snapshot is in force.
type Guards interface {
	ApplyFeed(*feedv1.Snapshot) error
}

// Envoys take the graph.
type Envoys interface {
	ApplyGraph(*graph.Graph) error
}

// Config is what a Controller joins.
type Config struct {
	Translator *translate.Translator
	Guards     Guards
	Envoys     Envoys
	// Report is told of each change that people should see; nil: nobody is. It
	// must not call the Controller.
	Report func(Report)
	Now    func() time.Time
	Log    *slog.Logger
}

// Report is what changed for people.
type Report struct {
	// Problems are all that stand in the source; nil: they are as they were.
	Problems []source.Problem
	// Statuses are those that changed.
	Statuses []translate.Status
	Gone     []source.Ref
}

// Outcome is what became of an owner at Envoy.
type Outcome struct {
	Owner   graph.Owner
	Outcome translate.Outcome
}

// Controller is the loop. Use New.
type Controller struct {
	cfg  Config
	work chan func()
	done chan struct{}

	// What follows is the loop's.
	graph    *graph.Graph
	feed     *feedv1.Snapshot
	problems []source.Problem
}

// New makes a Controller; nothing happens before Run.
func New(cfg Config) *Controller {
	return &Controller{cfg: cfg, work: make(chan func()), done: make(chan struct{})}
}

// Run works until ctx ends.
func (c *Controller) Run(ctx context.Context) {
	defer close(c.done)
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-c.work:
			f()
		}
	}
}

// do runs f in the loop and waits for it; after the loop's end it does nothing.
func (c *Controller) do(f func()) {
	finished := make(chan struct{})
	select {
	case c.work <- func() { defer close(finished); f() }:
		<-finished
	case <-c.done:
	}
}

// Deliver takes a change of the source.
func (c *Controller) Deliver(d source.Delta) {
	c.do(func() {
		c.problems = d.Problems
		standing := d.Problems
		if standing == nil {
			standing = []source.Problem{}
		}
		c.publish(c.cfg.Translator.Apply(d, c.cfg.Now()), standing)
	})
}

// Observe takes what became of owners at Envoy.
func (c *Controller) Observe(outs []Outcome) {
	if len(outs) == 0 {
		return
	}
	c.do(func() {
		var r translate.Result
		var told []translate.Status
		for _, o := range outs {
			r = c.cfg.Translator.SetOutcome(o.Owner, o.Outcome, c.cfg.Now())
			told = append(told, r.Statuses...)
		}
		r.Statuses = newest(told)
		c.publish(r, nil)
	})
}

// ObserveNames takes what became of the sockets at which names are answered.
func (c *Controller) ObserveNames(list []translate.NamesState) {
	c.do(func() { c.publish(c.cfg.Translator.SetNames(list, c.cfg.Now()), nil) })
}

// newest keeps the last status of each object, sorted: owners of one Gateway
// change its status one after the other.
func newest(in []translate.Status) []translate.Status {
	last := make(map[source.Ref]translate.Status, len(in))
	for _, s := range in {
		last[s.Ref] = s
	}
	return slices.SortedFunc(maps.Values(last), func(a, b translate.Status) int { return a.Ref.Compare(b.Ref) })
}

// publish tells everyone what concerns them. People are told whatever became
// of it: what they wrote is wrong or right all the same.
func (c *Controller) publish(r translate.Result, problems []source.Problem) {
	c.hand(r)
	if c.cfg.Report != nil && (len(r.Statuses) > 0 || len(r.Gone) > 0 || problems != nil) {
		c.cfg.Report(Report{Problems: problems, Statuses: r.Statuses, Gone: r.Gone})
	}
}

// hand gives the feed to the guards first, and the graph to Envoys only when
// it is in force there. An error of one of them is ours: what was in force
// stays so, and it is tried again with the next change.
func (c *Controller) hand(r translate.Result) {
	if r.Feed != c.feed {
		if err := c.cfg.Guards.ApplyFeed(r.Feed); err != nil {
			c.cfg.Log.Error("the guard refused the feed; it keeps the last one", "error", err)
			return
		}
		c.feed = r.Feed
	}
	if r.Graph != c.graph {
		if err := c.cfg.Envoys.ApplyGraph(r.Graph); err != nil {
			c.cfg.Log.Error("the configuration is malformed; Envoy keeps the last one", "error", err)
			return
		}
		c.graph = r.Graph
	}
}

// Statuses are those of all objects, and the problems of their source.
func (c *Controller) Statuses() (statuses []translate.Status, problems []source.Problem) {
	c.do(func() { statuses, problems = c.cfg.Translator.Statuses(), c.problems })
	return statuses, problems
}
