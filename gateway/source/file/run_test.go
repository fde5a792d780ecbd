package file

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/hopgate/hopgate/gateway/source"
	"github.com/hopgate/hopgate/gateway/source/schema"
)

// fake is a notifier that the test speaks for. It notes when the files are
// looked at.
type fake struct {
	event   chan fsnotify.Event
	failure chan error
	looks   []time.Duration
	start   time.Time
	// newFolders and unwatched are what watch answers, one after the other.
	newFolders []bool
	unwatched  [][]source.Problem
}

func (f *fake) events() <-chan fsnotify.Event { return f.event }
func (f *fake) errors() <-chan error          { return f.failure }
func (f *fake) close() error                  { return nil }

func (f *fake) watch(map[string]interest) (bool, []source.Problem) {
	f.looks = append(f.looks, time.Since(f.start))
	isNew := len(f.newFolders) > 0 && f.newFolders[0]
	f.newFolders = f.newFolders[min(1, len(f.newFolders)):]
	var problems []source.Problem
	if len(f.unwatched) > 0 {
		problems = f.unwatched[0]
		f.unwatched = f.unwatched[min(1, len(f.unwatched)-1):]
	}
	return isNew, problems
}

// following runs a Source with a fake notifier for the life of a bubble.
func following(t *testing.T, dir string, f *fake) (deltas *[]source.Delta, stop func()) {
	t.Helper()
	deltas = new([]source.Delta)
	s, err := New(Config{
		Paths: []string{dir}, Checker: schema.New(), Poll: time.Minute, Quiet: 30 * time.Millisecond, Hold: 250 * time.Millisecond,
		Sink: func(d source.Delta) { *deltas = append(*deltas, d) },
	})
	if err != nil {
		t.Fatal(err)
	}
	f.event, f.failure, f.start = make(chan fsnotify.Event), make(chan error), time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.follow(ctx, f) }()
	synctest.Wait()
	return deltas, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

func TestChangesAreGathered(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		// events are when something happens, in milliseconds.
		events []int
		looks  []time.Duration
	}{
		{"one", []int{100}, []time.Duration{0, ms(130)}},
		{"a few at once", []int{100, 100, 110, 125}, []time.Duration{0, ms(155)}},
		{"two", []int{100, 200}, []time.Duration{0, ms(130), ms(230)}},
		// Without end: at most 250 ms late.
		{"many", []int{100, 120, 140, 160, 180, 200, 220, 240, 260, 280, 300, 320, 340, 360, 380}, []time.Duration{0, ms(350), ms(410)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				f := &fake{}
				_, stop := following(t, dir, f)
				for _, at := range tc.events {
					<-time.After(time.Until(f.start.Add(ms(at))))
					f.event <- fsnotify.Event{Name: filepath.Join("/elsewhere", "x.yaml"), Op: fsnotify.Write}
				}
				<-time.After(time.Second)
				stop()
				if !slices.Equal(f.looks, tc.looks) {
					t.Errorf("looks at %v, want %v", f.looks, tc.looks)
				}
			})
		})
	}
}

func TestNoiseIsIgnored(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		_, stop := following(t, dir, f)
		noise := fsnotify.Event{Name: filepath.Join(dir, "log.txt"), Op: fsnotify.Write}
		f.event <- noise
		f.event <- fsnotify.Event{Name: filepath.Join(dir, "a.yaml"), Op: fsnotify.Write}
		<-time.After(ms(20))
		// Noise does not hold a change back either.
		f.event <- noise
		<-time.After(time.Second)
		stop()
		if want := []time.Duration{0, ms(30)}; !slices.Equal(f.looks, want) {
			t.Errorf("looks at %v, want %v", f.looks, want)
		}
	})
}

func TestPollAndErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		deltas, stop := following(t, dir, f)
		<-time.After(2*time.Minute + time.Second)
		// Events may have been lost.
		f.failure <- fsnotify.ErrEventOverflow
		<-time.After(ms(10))
		f.failure <- errors.New("odd")
		<-time.After(time.Second)
		stop()
		if want := []time.Duration{0, time.Minute, 2 * time.Minute, 2*time.Minute + time.Second + ms(30)}; !slices.Equal(f.looks, want) {
			t.Errorf("looks at %v, want %v", f.looks, want)
		}
		if len(*deltas) != 1 {
			t.Errorf("nothing changed, but there are %d Deltas", len(*deltas))
		}
	})
}

// TestNewFoldersAreReadAgain holds that what happened in a folder before its
// watch began is not missed, and that this ends.
func TestNewFoldersAreReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{newFolders: []bool{true, true, false}}
		_, stop := following(t, dir, f)
		stop()
		if len(f.looks) != 3 {
			t.Errorf("looks: %d, want 3", len(f.looks))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		f := &fake{newFolders: slices.Repeat([]bool{true}, 100)}
		_, stop := following(t, dir, f)
		stop()
		if len(f.looks) != maxLooks {
			t.Errorf("looks without end: %d, want %d", len(f.looks), maxLooks)
		}
	})
}

func TestUnwatchedIsAProblem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		problem := notWatched("/x", errors.New("no space left"))
		f := &fake{unwatched: [][]source.Problem{{problem}, {problem}, nil}}
		deltas, stop := following(t, dir, f)
		<-time.After(time.Minute + time.Second)
		stop()
		var counts []int
		for _, d := range *deltas {
			counts = append(counts, len(d.Problems))
		}
		if want := []int{0, 1, 0}; !slices.Equal(counts, want) {
			t.Errorf("problems of the Deltas: %v, want %v", counts, want)
		}
	})
}

// TestStopWhileGathering holds that Run ends at once.
func TestStopWhileGathering(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		_, stop := following(t, dir, f)
		f.event <- fsnotify.Event{Name: "/elsewhere"}
		synctest.Wait()
		stop()
		if len(f.looks) != 1 || time.Since(f.start) != 0 {
			t.Errorf("looks: %d, after %v", len(f.looks), time.Since(f.start))
		}
	})
}
