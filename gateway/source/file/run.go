package file

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/hopgate/hopgate/gateway/source"
)

// Run reads everything, hands it to the Sink as one complete Delta, and then
// each change, until the context ends; then it returns nil. It may be called
// once.
func (s *Source) Run(ctx context.Context) error {
	if s.config.Sink == nil {
		return errors.New("run file source: no sink")
	}
	n, err := newNotifier()
	if err != nil {
		n = deaf{err}
	}
	return errors.Join(s.follow(ctx, n), n.close())
}

// follow is Run with a given notifier.
func (s *Source) follow(ctx context.Context, n notifier) error {
	f := follower{source: s, notifier: n}
	poll := time.NewTicker(s.config.Poll)
	defer poll.Stop()
	for f.look(); ; f.look() {
		if !f.wait(ctx, poll.C) {
			return nil
		}
	}
}

// follower delivers changes.
type follower struct {
	source   *Source
	notifier notifier
	// folders are those that are watched.
	folders map[string]interest
	// delivered and problems are what the Sink knows.
	started   bool
	delivered map[source.Ref]source.Object
	problems  []source.Problem
}

// maxLooks bounds how often new folders make look start again.
const maxLooks = 5

// look reads what there is and delivers what changed. A folder that is newly
// watched is read once more: it may have changed before the watch began.
func (f *follower) look() {
	for range maxLooks {
		l, problems := f.source.refresh()
		f.folders = l.folders
		isNew, problemsNow := f.notifier.watch(l.folders)
		again := isNew || !slices.Equal(problemsNow, f.source.watchProblems)
		f.source.watchProblems = problemsNow
		f.deliver(problems)
		f.source.save()
		if !again {
			return
		}
	}
}

func (f *follower) deliver(problems []source.Problem) {
	objects := f.source.objects()
	delta := source.Diff(f.delivered, objects)
	delta.Problems = problems
	if f.started && len(delta.Upserts) == 0 && len(delta.Deletes) == 0 && slices.Equal(problems, f.problems) {
		return
	}
	f.started, f.delivered, f.problems = true, objects, problems
	f.source.config.Sink(delta)
}

// wait returns when there may be something to read, and false when the context
// ended.
func (f *follower) wait(ctx context.Context, poll <-chan time.Time) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-poll:
			return true
		case <-f.notifier.errors(): //nolint:errcheck // the look that follows says what is wrong
			return f.settle(ctx)
		case e := <-f.notifier.events():
			if matters(e, f.folders) {
				return f.settle(ctx)
			}
		}
	}
}

// settle waits until nothing happened for a while: a change is seldom one
// event.
func (f *follower) settle(ctx context.Context) bool {
	quiet := time.NewTimer(f.source.config.Quiet)
	defer quiet.Stop()
	hold := time.NewTimer(f.source.config.Hold)
	defer hold.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-quiet.C:
			return true
		case <-hold.C:
			return true
		case <-f.notifier.errors(): //nolint:errcheck // the look that follows says what is wrong
		case e := <-f.notifier.events():
			if matters(e, f.folders) {
				quiet.Reset(f.source.config.Quiet)
			}
		}
	}
}

// deaf is the notifier of a system that has none.
type deaf struct{ reason error }

func (deaf) events() <-chan fsnotify.Event { return nil }
func (deaf) errors() <-chan error          { return nil }
func (deaf) close() error                  { return nil }

func (d deaf) watch(map[string]interest) (bool, []source.Problem) {
	return false, []source.Problem{notWatched("", d.reason)}
}
