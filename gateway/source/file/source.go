package file

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hopgate/hopgate/gateway/source"
	"github.com/hopgate/hopgate/gateway/source/schema"
)

// Config is what a Source needs.
type Config struct {
	// Paths are files and folders. At least one.
	Paths []string
	// Sink takes each Delta, in order, from the goroutine of Run; the next
	// change waits until it returns. Only Run needs it.
	Sink func(source.Delta)
	// LastGood keeps accepted documents over a restart; nil: they are not.
	LastGood LastGood
	// Checker may be shared; nil: one of its own.
	Checker *schema.Checker
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Poll is how often the files are looked at besides what the system says
	// of them; 0: 2s.
	Poll time.Duration
	// Quiet is how long nothing must happen before a change is read, Hold how
	// long it waits for that at most; 0: 30ms and 250ms.
	Quiet, Hold time.Duration
}

// Source reads files. Use New.
type Source struct {
	config Config
	files  files
	// loaded: the last good state was looked at.
	loaded bool
	// stateProblems are those of the last good state and of watching.
	stateProblems, watchProblems []source.Problem
	// good are the objects that serve and are not broken.
	good map[source.Ref]accepted
	// saved is a hash of what the last good state holds.
	saved string

	mu sync.Mutex
	// serving are all objects; guarded by mu. The map is replaced, not changed.
	serving map[source.Ref]accepted
}

// New returns a Source. It reads nothing yet.
func New(c Config) (*Source, error) {
	if len(c.Paths) == 0 {
		return nil, errors.New("read files: no path is given")
	}
	if slices.Contains(c.Paths, "") {
		return nil, errors.New("read files: a path is empty")
	}
	if c.Checker == nil {
		c.Checker = schema.New()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Poll = orDefault(c.Poll, 2*time.Second)
	c.Quiet = orDefault(c.Quiet, 30*time.Millisecond)
	c.Hold = orDefault(c.Hold, 250*time.Millisecond)
	return &Source{config: c, files: files{checker: c.Checker}}, nil
}

func orDefault(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}

// Load reads everything once, and returns it as one complete Delta. It writes
// nothing, and does not call the Sink.
func (s *Source) Load() source.Delta {
	_, problems := s.refresh()
	delta := source.Diff(nil, s.objects())
	delta.Problems = problems
	return delta
}

// refresh looks at the files, and settles what serves.
func (s *Source) refresh() (listing, []source.Problem) {
	l := s.list()
	files := slices.SortedFunc(maps.Values(s.files.byPath), func(a, b *parsed) int {
		return strings.Compare(a.entry.path, b.entry.path)
	})
	s.restore(files)
	serving, problems := settle(files, s.good)
	s.good = maps.Clone(serving)
	maps.DeleteFunc(s.good, func(_ source.Ref, a accepted) bool { return a.object.Broken != nil })
	s.mu.Lock()
	s.serving = serving
	s.mu.Unlock()
	problems = slices.Concat(problems, s.lost(l), s.stateProblems, s.watchProblems)
	return l, foremost(problems)
}

// maxTorn bounds how often files are looked at again because something went
// meanwhile. What is torn then is looked at when its change is told.
const maxTorn = 4

// list reads what there is. A folder that is moved away while it is read must
// not look like one whose files were removed.
func (s *Source) list() listing {
	before := s.files.byPath
	for range maxTorn {
		l := scan(s.config.Paths)
		if !l.torn {
			s.files.update(&l, s.config.Now())
		}
		if !l.torn {
			return l
		}
		s.files.byPath = before
	}
	l := scan(s.config.Paths)
	l.lost = append(l.lost, s.paths()...)
	s.files.update(&l, s.config.Now())
	return l
}

// paths are all that was read.
func (s *Source) paths() []string { return slices.Sorted(maps.Keys(s.files.byPath)) }

// foremost sorts problems, and cuts their number: the worst stay.
func foremost(problems []source.Problem) []source.Problem {
	slices.SortFunc(problems, source.Problem.Compare)
	more := len(problems) - maxProblems
	if more <= 0 {
		return problems
	}
	rank := map[source.Severity]int{source.Error: 0, source.Warning: 1, source.Info: 2}
	slices.SortStableFunc(problems, func(a, b source.Problem) int { return rank[a.Severity] - rank[b.Severity] })
	problems = slices.Clone(problems[:maxProblems])
	slices.SortFunc(problems, source.Problem.Compare)
	return append(problems, source.Problem{Severity: source.Error, Message: fmt.Sprintf("and %d more problems", more)})
}

// lost gives the problems of a listing their effect.
func (s *Source) lost(l listing) []source.Problem {
	out := make([]source.Problem, 0, len(l.problems))
	for _, p := range l.problems {
		if p.Severity == source.Error {
			p.Effect = source.EffectNotServed
			if s.servesFrom(p.path) {
				p.Effect = source.EffectKept
			}
		}
		out = append(out, p.Problem)
	}
	return out
}

func (s *Source) servesFrom(path string) bool {
	for _, a := range s.good {
		if under(a.path, []string{path}) {
			return true
		}
	}
	return false
}

func (s *Source) objects() map[source.Ref]source.Object {
	out := make(map[source.Ref]source.Object, len(s.serving))
	for ref, a := range s.serving {
		out[ref] = a.object
	}
	return out
}

// Locate returns the place of a field of an object that serves, or of the
// innermost parent of it that was written; 0 where nothing is known. The path
// is like spec.rules[0].name.
func (s *Source) Locate(ref source.Ref, field string) (file string, line, column int) {
	s.mu.Lock()
	a, ok := s.serving[ref]
	s.mu.Unlock()
	if !ok {
		return "", 0, 0
	}
	docs := documents{json: isJSON(a.path)}
	root, problem := docs.parse(a.chunk.text)
	if problem != nil || root == nil {
		return a.object.Origin.File, a.object.Origin.Line, 0
	}
	line, column = locate(root, field)
	return a.object.Origin.File, a.chunk.line + line - 1, column
}
