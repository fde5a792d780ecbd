package policy

import (
	"slices"
	"strings"

	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// Roots of the names of fields that are words of a request.
const (
	fieldHeaders = "headers."
	fieldQuery   = "query."
)

// word matches what a request says under a name.
type word struct {
	field string // headers.NAME or query.NAME
	kind  v1alpha1.WordType
	exact []string // sorted
	globs *patterns
	// folds: case makes no difference. What is to be closed is closed in every
	// spelling that some server takes for it.
	folds bool
}

// eval judges the word. For an Allow (every) what is in doubt does not match;
// for the others it cannot be judged.
func (w *word) eval(e *eval, every bool) truth {
	said := wordOf(e.q.Action, w.field)
	t := w.judge(e, said, every)
	if e.notes != nil {
		e.note(w.field, w.String(), shownWord(said), t)
	}
	return t
}

func (w *word) judge(e *eval, said surface.Word, every bool) truth {
	if said.Doubt == "" && w.kind == v1alpha1.WordGlob && dotted(said.Text) {
		said.Doubt = surface.DoubtForm
	}
	if said.Doubt != "" && !(said.Doubt == surface.DoubtList && contains(w.exact, said.Text)) {
		if every {
			return no
		}
		return e.unsure(w.field, string(said.Doubt))
	}
	return truthOf(w.match(said.Text) || w.folds && w.match(strings.ToLower(said.Text)))
}

// dotted reports whether a value that is taken for a path leads elsewhere than
// it seems to: a glob for what is below a folder is none for what is beside it.
func dotted(s string) bool {
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == '/' || r == '\\' }) {
		if part == "." || part == ".." {
			return true
		}
	}
	return false
}

func (w *word) match(s string) bool {
	if w.kind == v1alpha1.WordGlob {
		return w.globs.match(s)
	}
	return contains(w.exact, s)
}

// String is what the word must be.
func (w *word) String() string {
	if w.kind == v1alpha1.WordGlob {
		return "like one of " + w.globs.String()
	}
	return "one of " + strings.Join(w.exact, ", ")
}

// wordOf is what an action says under a field's name.
func wordOf(a *surface.Action, field string) surface.Word {
	name, header := strings.CutPrefix(field, fieldHeaders)
	switch {
	case a.Words == nil:
		return surface.Word{Doubt: surface.DoubtMissing}
	case header:
		return a.Words.Header(name)
	default:
		return a.Words.Parameter(strings.TrimPrefix(field, fieldQuery))
	}
}

func shownWord(w surface.Word) string {
	if w.Doubt != "" {
		return "none: " + string(w.Doubt)
	}
	return w.Text
}

// isWord reports whether a field is a word of a request.
func isWord(field string) bool {
	return strings.HasPrefix(field, fieldHeaders) || strings.HasPrefix(field, fieldQuery)
}

// wordsHold judges those of an entry.
func (h *httpEntry) wordsHold(e *eval, every bool) truth {
	t := yes
	for i := range h.words {
		if t = t.and(h.words[i].eval(e, every)); e.settled(t) {
			return no
		}
	}
	return t
}

// method compares the request's, and one that it asks for besides: an Allow
// must name both, and either is enough for the others.
func (h *httpEntry) method(e *eval, every bool) truth {
	a := e.q.Action
	t := e.among("methods", h.methods, a.Method)
	if a.Override == "" || h.methods == nil {
		return t
	}
	other := e.among("methods", h.methods, a.Override)
	if every {
		return t.and(other)
	}
	return t.or(other)
}

// KeepWords are the words that applicable rules read of said, as copies; nil:
// none.
func (o *Outcome) KeepWords(said surface.Words) surface.Words {
	var kept surface.Kept
	keep := func(f *fieldSet) {
		for _, field := range f.names {
			if !isWord(field) {
				continue
			}
			name, header := strings.CutPrefix(field, fieldHeaders)
			name = strings.TrimPrefix(name, fieldQuery)
			w := wordOf(&surface.Action{Words: said}, field)
			w.Text = strings.Clone(w.Text)
			kept = append(kept, surface.KeptWord{Header: header, Name: name, Word: w})
		}
	}
	for _, f := range o.seen.first[:o.seen.n] {
		keep(f)
	}
	for _, f := range o.seen.more {
		keep(f)
	}
	if kept == nil {
		return nil
	}
	return kept
}

// fieldsOfWords are those that an entry reads.
func (h *httpEntry) fieldsOfWords() []string {
	var out []string
	for i := range h.words {
		out = append(out, h.words[i].field)
	}
	return slices.Clip(out)
}
