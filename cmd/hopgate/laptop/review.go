package laptop

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/hopgate/hopgate/authz/decide"
	"github.com/hopgate/hopgate/authz/explain"
	"github.com/hopgate/hopgate/authz/policy"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/gateway/source"
	"github.com/hopgate/hopgate/gateway/source/file"
	"github.com/hopgate/hopgate/gateway/translate"
)

// Review is what `run` would make of files.
type Review struct {
	// Objects are all that were read and all that was assumed, sorted.
	Objects []Reviewed
	// Problems are of the files.
	Problems []source.Problem
	// Feed is what the guard would decide by.
	Feed *feedv1.Snapshot
	// Graph is what Envoy would be told.
	Graph *graph.Graph

	policies policy.Config
}

// Reviewed is one object and its status.
type Reviewed struct {
	Ref    source.Ref
	Value  source.Typed // with its status
	Status *translate.Status
	// Assumed is true for what is not in the files, and for what is read with
	// more than they say.
	Assumed bool
	// Origin is where it is written; zero: nowhere.
	Origin source.Origin
}

// Look reads files once and says what run would say; without files, what is
// built in. It starts nothing and writes nothing; state is where the local key
// would be, and the CA.
func Look(paths []string, state string, now time.Time) (*Review, error) {
	return LookWith(paths, state, CAFiles{}, now)
}

// LookWith is Look with a CA from elsewhere than the state folder.
func LookWith(paths []string, state string, ca CAFiles, now time.Time) (*Review, error) {
	in, err := inspect(ca, state, roots(os.Getenv), now)
	if err != nil {
		return nil, err
	}
	policies, err := newPolicyChecker(in.policies())
	if err != nil {
		return nil, err
	}
	key, err := lookKey(state)
	if err != nil {
		return nil, err
	}
	t, err := translate.New(TranslateConfig(key.JWKS(), policies, false, nil))
	if err != nil {
		return nil, err
	}
	delta, err := load(paths)
	if err != nil {
		return nil, err
	}
	result := t.Apply(delta, now)
	r := &Review{Problems: delta.Problems, Feed: result.Feed, Graph: result.Graph, policies: in.policies()}
	statuses := map[source.Ref]*translate.Status{}
	for _, s := range t.Statuses() {
		statuses[s.Ref] = &s
	}
	written := map[source.Ref]source.Origin{}
	for _, o := range delta.Upserts {
		written[o.Ref] = o.Origin
		r.add(o.Ref, o.Value, statuses[o.Ref], false, o.Origin)
	}
	for _, v := range t.Assumed() {
		ref := refOf(v)
		r.Objects = slices.DeleteFunc(r.Objects, func(o Reviewed) bool { return o.Ref == ref })
		r.add(ref, v, statuses[ref], true, written[ref])
	}
	slices.SortFunc(r.Objects, func(a, b Reviewed) int { return a.Ref.Compare(b.Ref) })
	return r, nil
}

func load(paths []string) (source.Delta, error) {
	if len(paths) == 0 {
		return source.Delta{}, nil
	}
	src, err := file.New(file.Config{Paths: paths})
	if err != nil {
		return source.Delta{}, err
	}
	return src.Load(), nil
}

func (r *Review) add(ref source.Ref, v source.Typed, s *translate.Status, assumed bool, at source.Origin) {
	if s != nil {
		v = s.On(v)
	}
	r.Objects = append(r.Objects, Reviewed{Ref: ref, Value: v, Status: s, Assumed: assumed, Origin: at})
}

func refOf(v source.Typed) source.Ref {
	gvk := v.GetObjectKind().GroupVersionKind()
	return source.Ref{Group: gvk.Group, Kind: gvk.Kind, Namespace: v.GetNamespace(), Name: v.GetName()}
}

// lookKey is the local key, or one for the moment where there is none yet.
func lookKey(state string) (*token.Key, error) {
	key, err := token.Load(statePath(state, LocalKeyFile))
	if err == nil {
		return key, nil
	}
	if key, err = token.Generate(rand.Reader); err != nil {
		return nil, fmt.Errorf("make a key to look with: %w", err)
	}
	return key, nil
}

// Good reports whether nothing is wrong.
func (r *Review) Good() bool {
	for _, p := range r.Problems {
		if p.Severity == source.Error {
			return false
		}
	}
	for _, o := range r.Objects {
		if o.Status != nil && len(o.Status.Faults()) > 0 {
			return false
		}
	}
	return true
}

// Worst sorts problems for a person: errors first.
func (r *Review) Worst() []source.Problem {
	rank := map[source.Severity]int{source.Error: 0, source.Warning: 1, source.Info: 2}
	out := slices.Clone(r.Problems)
	slices.SortStableFunc(out, func(a, b source.Problem) int { return cmp.Compare(rank[a.Severity], rank[b.Severity]) })
	return out
}

// Explain is what hops are explained against.
func (r *Review) Explain(now time.Time) (*explain.Config, error) {
	c, err := policy.New(r.policies)
	if err != nil {
		return nil, err
	}
	out := &explain.Config{
		State: decide.NewState(1, r.Feed, c.Compile(r.Feed.Policies)), Gateways: r.Feed.Gateways, Policies: r.Feed.Policies, Now: now,
	}
	for _, t := range r.Graph.Tables {
		for _, f := range t.Fragments {
			for _, rule := range f.Rules {
				out.Targets = append(out.Targets, rule.Target)
			}
		}
	}
	return out, nil
}
