package file

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/source"
)

// accepted is an object that serves, with the text it came from.
type accepted struct {
	object source.Object
	path   string
	chunk  chunk
}

// settler makes one set of objects of what the files hold now and of what was
// accepted before. It is used once.
type settler struct {
	files []*parsed
	// before are the good objects that serve now.
	before map[source.Ref]accepted

	after    map[source.Ref]accepted
	problems []source.Problem
	// claims are the documents that are an object, by object.
	claims map[source.Ref][]claim
}

// claim is one document of one file.
type claim struct {
	file *parsed
	*outcome
}

func (c claim) place() string {
	return source.Problem{File: c.file.entry.shown, Line: c.line}.Place()
}

// settle returns the objects to serve, and every problem with its effect.
// files are sorted by path.
func settle(files []*parsed, before map[source.Ref]accepted) (map[source.Ref]accepted, []source.Problem) {
	s := &settler{files: files, before: before, after: map[source.Ref]accepted{}, claims: map[source.Ref][]claim{}}
	s.collect()
	for _, ref := range slices.SortedFunc(maps.Keys(s.claims), source.Ref.Compare) {
		if claims := s.claims[ref]; len(claims) == 1 {
			s.single(ref, claims[0])
		} else {
			s.several(ref, claims)
		}
	}
	for _, f := range files {
		s.unnamed(f)
	}
	slices.SortFunc(s.problems, source.Problem.Compare)
	return s.after, s.problems
}

// collect finds who claims which object.
func (s *settler) collect() {
	for _, f := range s.files {
		for i := range f.outcomes {
			o := &f.outcomes[i]
			if o.state != skipped && o.id.known() {
				s.claims[o.id.ref] = append(s.claims[o.id.ref], claim{f, o})
			}
		}
	}
}

// report adds the problems of a document.
func (s *settler) report(problems []source.Problem, effect source.Effect) {
	for _, p := range problems {
		if p.Severity == source.Error {
			p.Effect = effect
		}
		s.problems = append(s.problems, p)
	}
}

// single settles an object that one document is.
func (s *settler) single(ref source.Ref, c claim) {
	if c.state == good {
		s.accept(c)
		s.report(c.problems, source.EffectNone)
		return
	}
	s.report(c.problems, s.fallBack(ref, c))
}

// accept serves a good document. Content that did not change keeps its value.
func (s *settler) accept(c claim) {
	object := c.object
	if old, ok := s.before[object.Ref]; ok && old.object.Hash == object.Hash {
		object.Value = old.object.Value
	}
	s.after[object.Ref] = accepted{object, c.file.entry.path, c.chunk}
}

// fallBack serves what there is for an object that is not good now.
func (s *settler) fallBack(ref source.Ref, c claim) source.Effect {
	if old, ok := s.before[ref]; ok {
		s.after[ref] = old
		return source.EffectKept
	}
	return s.serveBroken(c.broken, c.file, c.chunk)
}

// serveBroken serves what a bad document stands for, if it stands for anything.
func (s *settler) serveBroken(o *source.Object, f *parsed, c chunk) source.Effect {
	if o == nil {
		return source.EffectNotServed
	}
	s.after[o.Ref] = accepted{object: *o, path: f.entry.path, chunk: c}
	return brokenEffect(o.Ref)
}

// brokenEffect is what a broken object does.
func brokenEffect(ref source.Ref) source.Effect {
	switch ref.Kind {
	case kindPolicy:
		return source.EffectDenied
	case kindQuarantine:
		return source.EffectCutOff
	default:
		return source.EffectClosed
	}
}

// several settles an object that is written more than once.
func (s *settler) several(ref source.Ref, claims []claim) {
	same := !slices.ContainsFunc(claims, func(c claim) bool {
		return c.state != good || c.object.Hash != claims[0].object.Hash
	})
	if same {
		s.accept(claims[0])
		s.reportTwice(claims, source.Warning, source.EffectFirst)
		return
	}
	effect := s.choose(ref, claims)
	s.reportTwice(claims, source.Error, effect)
}

// choose serves one of several: the last good one, without one the first good
// one; but of an AccessPolicy none, then. Where none is good the first that is
// broken holds.
func (s *settler) choose(ref source.Ref, claims []claim) source.Effect {
	if old, ok := s.before[ref]; ok {
		s.after[ref] = old
		return source.EffectKept
	}
	if ref.Group == source.GroupHopgate && ref.Kind == kindPolicy {
		s.after[ref] = accepted{object: contested(ref, claims), path: claims[0].file.entry.path, chunk: claims[0].chunk}
		return source.EffectDenied
	}
	for _, c := range claims {
		if c.state == good {
			s.accept(c)
			return source.EffectFirst
		}
	}
	return s.serveBroken(claims[0].broken, claims[0].file, claims[0].chunk)
}

// reportTwice names the places to each other.
func (s *settler) reportTwice(claims []claim, severity source.Severity, effect source.Effect) {
	ownEffect := effect
	if effect == source.EffectFirst {
		ownEffect = source.EffectNotServed
	}
	for i, c := range claims {
		s.report(c.problems, ownEffect)
		others := make([]string, 0, len(claims))
		for j, o := range claims {
			if j != i {
				others = append(others, o.place())
			}
		}
		s.problems = append(s.problems, source.Problem{
			Ref: c.id.ref, File: c.file.entry.shown, Line: c.line, Column: 1,
			Message: "the same object is in " + strings.Join(others, ", ") + " too", Mend: "remove all but one",
			Severity: severity, Effect: effect,
		})
	}
}

// contested is the AccessPolicy of which several versions are written: it
// guards what any of them does.
func contested(ref source.Ref, claims []claim) source.Object {
	var targets []gatewayv1.LocalPolicyTargetReferenceWithSectionName
	b := &source.Breakage{Reason: "the policy is written more than once"}
	hash := ""
	for _, c := range claims {
		object := &c.object
		if c.state != good {
			object = c.broken
			b.TargetsUnknown = b.TargetsUnknown || c.broken.Broken.TargetsUnknown
		}
		hash += object.Hash
		of := object.Value.(*v1alpha1.AccessPolicy).Spec.TargetRefs
		// Without targets a policy guards what it is attached to by default.
		b.TargetsUnknown = b.TargetsUnknown || len(of) == 0
		targets = append(targets, of...)
	}
	return source.Object{
		Ref: ref, Value: barePolicy(ref, targets), Hash: textHash([]byte(hash)), Broken: b,
		Origin: source.Origin{File: claims[0].file.entry.shown, Line: claims[0].line, Document: claims[0].chunk.document},
	}
}

// unnamed settles a file that could not be read, and documents of which nobody
// knows which object they are: what is missing of that file is kept.
func (s *settler) unnamed(f *parsed) {
	if f.failure != nil {
		p := *f.failure
		n := s.keep(f, source.Kind{})
		if p.Severity == source.Error {
			p.Effect = source.EffectNotServed
		}
		if n > 0 {
			p.Effect = source.EffectKept
			p.Message += fmt.Sprintf(", objects that serve on: %d", n)
		}
		s.problems = append(s.problems, p)
	}
	for i := range f.outcomes {
		o := &f.outcomes[i]
		switch {
		case o.state == skipped:
			s.report(o.problems, source.EffectNone)
		case !o.id.known():
			s.unnamedDocument(f, o)
		}
	}
}

func (s *settler) unnamedDocument(f *parsed, o *outcome) {
	n := s.keep(f, source.Kind{Group: o.id.ref.Group, Kind: o.id.ref.Kind})
	if n > 0 {
		s.report(o.problems, source.EffectKept)
		return
	}
	s.report(o.problems, s.serveBroken(o.broken, f, o.chunk))
}

// keep serves on what came from a file and is nowhere now; only of one kind,
// if that is known. It returns how many there are.
func (s *settler) keep(f *parsed, kind source.Kind) int {
	n := 0
	for ref, old := range s.before {
		if old.path != f.entry.path || len(s.claims[ref]) > 0 {
			continue
		}
		if kind.Kind != "" && (ref.Kind != kind.Kind || ref.Group != kind.Group) {
			continue
		}
		s.after[ref] = old
		n++
	}
	return n
}
