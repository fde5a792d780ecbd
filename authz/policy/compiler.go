package policy

import (
	"cmp"
	"fmt"
	"sync"

	"cel.dev/cel-go/cel"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// Config is how a Compiler works. The zero Config is the default.
type Config struct {
	// MaxCost is the most that the conditions of one rule may cost together, in
	// CEL's units, by estimate. 0: 2000.
	MaxCost uint64
	// Keep is how many compiled expressions are kept before those are dropped
	// that no policy uses any more. 0: 65536.
	Keep int
	// Inspects says that TLS can be inspected; NoInspect why it cannot be. Empty:
	// there is no CA.
	Inspects  bool
	NoInspect string
}

const noCA = "there is no CA to mint certificates by: make one with 'hopgate ca init'"

const (
	defaultMaxCost = 2000
	defaultKeep    = 1 << 16
)

// Compiler compiles policies, and remembers expressions by their text: a
// program costs tenths of a millisecond, and a change of one rule must not
// cost all of them.
type Compiler struct {
	env     *cel.Env
	maxCost uint64
	keep    int
	// noInspect is why TLS cannot be inspected; empty: it can.
	noInspect string

	// mu guards recent and older: what was used since the last turn, and before.
	mu            sync.Mutex
	recent, older map[string]*condition
}

// New returns a Compiler.
func New(cfg Config) (*Compiler, error) {
	env, err := newEnv()
	if err != nil {
		return nil, fmt.Errorf("declare variables: %w", err)
	}
	c := &Compiler{env: env, maxCost: cfg.MaxCost, keep: cfg.Keep, recent: map[string]*condition{}}
	if c.maxCost == 0 {
		c.maxCost = defaultMaxCost
	}
	if c.keep <= 0 {
		c.keep = defaultKeep
	}
	if !cfg.Inspects {
		c.noInspect = cmp.Or(cfg.NoInspect, noCA)
	}
	return c, nil
}

// Compile makes a Set of all policies. It never fails as a whole: a policy with
// an error counts as rejected, and denies whatever its targets see. Nothing of
// policies is kept or changed.
func (c *Compiler) Compile(policies []feedv1.Policy) *Set {
	b := newBuilder()
	for i := range policies {
		b.add(&policies[i], c.compile(&policies[i]))
	}
	c.turn(false)
	s := b.set()
	s.inspects = c.noInspect == ""
	return s
}

// CheckPolicy says what is wrong with one policy, in the order of its fields:
// all that can be known without other objects. A Problem with Severity Error
// means that it must not be accepted.
func (c *Compiler) CheckPolicy(p *v1alpha1.AccessPolicy) []Problem {
	k := checker{c: c, namespace: p.Namespace}
	k.mode(p.Spec.Mode)
	k.rules(p.Spec.Rules)
	c.turn(true)
	return k.problems
}

// compiled is one policy of a Set.
type compiled struct {
	rules    []*rule
	problems []Problem
	// rejected is why the policy is not accepted; empty: it is.
	rejected string
}

func (c *Compiler) compile(p *feedv1.Policy) compiled {
	k := checker{c: c, namespace: p.Key.Namespace, resolved: true}
	k.mode(p.Mode)
	out := compiled{rules: k.rules(p.Rules), problems: k.problems, rejected: p.Rejected}
	if bad, ok := firstError(k.problems); ok && out.rejected == "" {
		out.rejected = bad.Field + ": " + bad.Message
	}
	for _, r := range out.rules {
		r.policy, r.report = p.Key, p.Mode == v1alpha1.ModeReport
		for _, b := range r.duties.Budgets {
			b.Policy = p.Key
		}
	}
	return out
}

// condition is the compiled expression of that text.
func (c *Compiler) condition(text string) *condition {
	c.mu.Lock()
	cond, ok := c.recent[text]
	if !ok {
		if cond, ok = c.older[text]; ok {
			c.recent[text] = cond
		}
	}
	c.mu.Unlock()
	if ok {
		return cond
	}
	// Two goroutines may both do it: they get the same.
	cond = compileCondition(c.env, text, c.maxCost)
	c.mu.Lock()
	c.recent[text] = cond
	c.mu.Unlock()
	return cond
}

// turn forgets what was not used since the last turn. A check of one policy
// only makes one when there is too much to keep.
func (c *Compiler) turn(onlyIfFull bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if onlyIfFull && len(c.recent) < c.keep {
		return
	}
	c.older, c.recent = c.recent, map[string]*condition{}
}
