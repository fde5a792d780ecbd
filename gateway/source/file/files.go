package file

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/hopgate/hopgate/gateway/source"
	"github.com/hopgate/hopgate/gateway/source/schema"
)

// parsed is one file and what its documents came to.
type parsed struct {
	entry    entry
	content  *content
	outcomes []outcome
	// failure is why there are no outcomes: the file could not be read.
	failure *source.Problem
}

// files keeps what was parsed, so that only what changed is parsed again: by
// file, and in a file by document.
type files struct {
	checker *schema.Checker
	byPath  map[string]*parsed
}

// update reads what a listing names, and forgets all else but what could not
// be listed, and what went since: the listing is torn then. It returns how many
// documents it had to parse.
func (f *files) update(l *listing, now time.Time) int {
	next := make(map[string]*parsed, len(l.entries))
	var work []job
	room := int64(maxTotalBytes)
	for _, e := range l.entries {
		p, jobs := f.load(e, now, room)
		if p.content.gone {
			l.torn = true
			if p = f.byPath[e.path]; p == nil {
				continue
			}
		}
		next[e.path] = p
		work = append(work, jobs...)
		room -= int64(len(p.content.text))
	}
	for path, p := range f.byPath {
		if next[path] == nil && under(path, l.lost) {
			next[path] = p
		}
	}
	run(work)
	f.byPath = next
	return len(work)
}

// under is true when a path is one of the roots or below it.
func under(path string, roots []string) bool {
	for _, root := range roots {
		if path == root || strings.HasPrefix(path, strings.TrimSuffix(root, string(filepath.Separator))+string(filepath.Separator)) {
			return true
		}
	}
	return false
}

// load takes a file from the cache, or reads it and says what is to be parsed.
func (f *files) load(e entry, now time.Time, room int64) (*parsed, []job) {
	old := f.byPath[e.path]
	if old != nil && old.content.problem == nil && old.content.same(e.info) && int64(len(old.content.text)) <= room {
		return old, nil
	}
	c := readFile(e, now, room)
	p := &parsed{entry: e, content: c}
	switch {
	case c.problem != nil:
		p.failure = &source.Problem{File: e.shown, Message: c.problem.message, Mend: c.problem.mend, Severity: source.Error}
		return p, nil
	case old != nil && old.content.problem == nil && old.content.sum == c.sum:
		p.outcomes, p.failure = old.outcomes, old.failure
		return p, nil
	case len(c.text) == 0:
		// An editor empties a file before it writes it.
		p.failure = &source.Problem{File: e.shown, Message: "the file is empty", Mend: "remove the file to remove its objects", Severity: source.Warning}
		return p, nil
	}
	return p, f.split(p, old)
}

// split cuts a file into documents. Those with a text that was there before
// have their outcome; for the others it returns the work.
func (f *files) split(p, old *parsed) []job {
	known := map[string]outcome{}
	if old != nil {
		for _, o := range old.outcomes {
			known[string(o.chunk.text)] = o
		}
	}
	docs := &documents{checker: f.checker, shown: p.entry.shown, dir: filepath.Dir(p.entry.path), json: filepath.Ext(p.entry.path) == ".json"}
	chunks := split(p.content.text)
	if docs.json {
		chunks = []chunk{{line: 1, document: 1, text: p.content.text}}
	}
	if len(chunks) > maxFileDocuments {
		p.failure = &source.Problem{
			File: p.entry.shown, Severity: source.Error,
			Message: fmt.Sprintf("the file has %d documents, more than the %d that are read", len(chunks), maxFileDocuments), Mend: "split it",
		}
		return nil
	}
	p.outcomes = make([]outcome, len(chunks))
	var work []job
	for i, c := range chunks {
		if o, ok := known[string(c.text)]; ok {
			p.outcomes[i] = o.moved(c)
			continue
		}
		work = append(work, job{docs, c, &p.outcomes[i]})
	}
	return work
}

// job is one document to parse.
type job struct {
	docs  *documents
	chunk chunk
	out   *outcome
}

// run does the work on all processors, and returns when it is done.
func run(work []job) {
	next := make(chan job)
	var wg sync.WaitGroup
	for range min(len(work), runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for j := range next {
				*j.out = j.docs.read(j.chunk)
			}
		})
	}
	for _, j := range work {
		next <- j
	}
	close(next)
	wg.Wait()
}
