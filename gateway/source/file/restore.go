package file

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hopgate/hopgate/gateway/source"
)

// restore looks, once, for the last good versions of what is not good now. A
// state that cannot be read is a problem, and otherwise as none.
func (s *Source) restore(files []*parsed) {
	if s.loaded {
		return
	}
	s.loaded = true
	if s.config.LastGood == nil {
		return
	}
	wanted := inNeed(files)
	if len(wanted) == 0 {
		return
	}
	saved, err := s.config.LastGood.Load()
	if err != nil {
		s.stateProblems = []source.Problem{{Severity: source.Warning, Message: err.Error(), Mend: "nothing is kept from before the start"}}
		return
	}
	s.good = map[source.Ref]accepted{}
	for _, d := range saved {
		if e, ok := wanted[d.Path]; ok {
			s.restoreDocument(e, d)
		}
	}
}

// inNeed are the files of which something is not good.
func inNeed(files []*parsed) map[string]entry {
	out := map[string]entry{}
	first := map[source.Ref]entry{}
	for _, f := range files {
		if f.failure != nil {
			out[f.entry.path] = f.entry
		}
		for _, o := range f.outcomes {
			if o.state == bad {
				out[f.entry.path] = f.entry
			}
			if o.state == skipped || !o.id.known() {
				continue
			}
			if e, twice := first[o.id.ref]; twice {
				out[e.path], out[f.entry.path] = e, f.entry
			} else {
				first[o.id.ref] = f.entry
			}
		}
	}
	return out
}

// restoreDocument checks a saved document as if it were read now: the schema
// may have changed since.
func (s *Source) restoreDocument(e entry, d Document) {
	docs := documents{checker: s.config.Checker, shown: e.shown, dir: filepath.Dir(e.path), json: isJSON(e.path)}
	o := docs.read(chunk{line: d.Line, document: d.Number, text: d.Text})
	if o.state == good {
		s.good[o.object.Ref] = accepted{o.object, e.path, o.chunk}
	}
}

func isJSON(path string) bool { return filepath.Ext(path) == ".json" }

// save keeps what is good now, if that changed.
func (s *Source) save() {
	if s.config.LastGood == nil {
		return
	}
	documents := make([]Document, 0, len(s.good))
	for _, a := range s.good {
		documents = append(documents, Document{Path: a.path, Line: a.chunk.line, Number: a.chunk.document, Text: a.chunk.text})
	}
	slices.SortFunc(documents, func(a, b Document) int {
		return strings.Compare(fmt.Sprintf("%s\x00%09d", a.Path, a.Line), fmt.Sprintf("%s\x00%09d", b.Path, b.Line))
	})
	hash := documentsHash(documents)
	if hash == s.saved {
		return
	}
	s.stateProblems = nil
	if err := s.config.LastGood.Save(documents); err != nil {
		s.stateProblems = []source.Problem{{Severity: source.Warning, Message: err.Error(), Mend: "a restart with a broken file will not find the last good state"}}
		return
	}
	s.saved = hash
}

func documentsHash(documents []Document) string {
	h := sha256.New()
	for _, d := range documents {
		fmt.Fprintf(h, "%q %d %d %d ", d.Path, d.Line, d.Number, len(d.Text))
		h.Write(d.Text)
	}
	return hex.EncodeToString(h.Sum(nil))
}
