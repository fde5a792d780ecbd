package policy

import (
	"time"

	"github.com/hopgate/hopgate/authz/surface/registry"
)

// packageEntry matches requests to a package registry.
type packageEntry struct {
	registries []string // one
	names      *patterns
	// folded are the names of a Deny or Ask by protocol, as registries fold
	// them: another spelling of a name is no way round it. nil: an Allow, which
	// compares canonical names as they are.
	folded map[string]*patterns
	// age is how old a release must be; 0: it may be new.
	age time.Duration
	// pinned: only what can never be something else.
	pinned bool
}

func (p *packageEntry) eval(e *eval, backend string, every bool) truth {
	t := e.backend("registry", p.registries, backend)
	if e.settled(t) {
		return no
	}
	if t = t.and(p.named(e, every)); e.settled(t) {
		return no
	}
	e.reached = e.reached || t == yes
	if e.q.Action.Method != registry.Artifact {
		return t
	}
	held := t == yes
	t = t.and(p.isPinned(e, held))
	return t.and(p.isOld(e, held && t == yes))
}

// named compares the name. What names no package is needed for each: who may
// have some package may ask for it, and nothing that closes some closes it.
func (p *packageEntry) named(e *eval, every bool) truth {
	if p.names == nil {
		return yes
	}
	if e.q.Action.Method == registry.Index {
		return truthOf(every)
	}
	name := e.q.Action.Name
	if names := p.folded[e.t.Provider]; names != nil {
		return e.selects("names", names, registry.Fold(e.t.Provider, name))
	}
	return e.selects("names", p.names, name)
}

// isPinned holds for what can never be something else. held: all else holds.
func (p *packageEntry) isPinned(e *eval, held bool) truth {
	if !p.pinned {
		return yes
	}
	t := truthOf(e.q.Action.Package.Pinned)
	if held && t == no {
		e.lacks(CodeDigestRequired)
	}
	if e.notes != nil {
		e.note("digestOnly", "a digest, or a commit", orNone(e.q.Action.Package.Version), t)
	}
	return t
}

func (p *packageEntry) isOld(e *eval, held bool) truth {
	if p.age == 0 {
		return yes
	}
	a := &e.q.Action.Package
	t := truthOf(a.Aged && a.Age >= p.age)
	switch {
	case !held || t == yes:
	case a.Aged:
		e.lacks(CodeReleaseTooNew)
	default:
		e.lacks(CodeReleaseAgeUnknown)
	}
	if e.notes != nil {
		actual := "not known"
		if a.Aged {
			actual = a.Age.Truncate(time.Second).String()
		}
		e.note("minimumAge", p.age.String(), actual, t)
	}
	return t
}

// lacks notes what a request lacks to match an entry that it matches in all
// else: of several, what is looked up comes first.
func (e *eval) lacks(code string) {
	order := []string{CodeReleaseAgeUnknown, CodeReleaseTooNew, CodeDigestRequired, CodeBadPath}
	for _, c := range order {
		if e.lack == c {
			return
		}
		if code == c {
			e.lack = code
			return
		}
	}
}
