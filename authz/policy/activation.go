package policy

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

const (
	// maxValueBytes is the longest array or object, as JSON, that conditions
	// read: more is an error. Texts may be of any length.
	maxValueBytes = 64 << 10
	// maxMembers is how many arguments a condition may read as a whole.
	maxMembers = 1024
)

// activation gives one Question's values to CEL, each made when it is first
// read. What is not known is not there, so that reading it is an error and
// nobody takes "no agent" for an agent of that name.
type activation struct {
	peer   string
	claims *token.Claims
	action *surface.Action

	text    [textVars]ref.Val
	scopes  ref.Val
	tctx    ref.Val
	args    map[string]any
	argsVal ref.Val
	whole   bool
}

// Places in activation.text.
const (
	textTool = iota
	textModel
	textHost
	textPath
	textMethod
	textSubject
	textAgent
	textPeer
	textTxn
	textVars
)

func newActivation(q *Question) *activation {
	return &activation{peer: q.Peer, claims: q.Claims, action: q.Action}
}

// Parent implements cel.Activation.
func (a *activation) Parent() cel.Activation { return nil }

// ResolveName implements cel.Activation.
func (a *activation) ResolveName(name string) (any, bool) {
	switch name {
	case varArgs:
		return a.argsVal, a.argsVal != nil
	case varTool:
		return a.ofKind(textTool, v1alpha1.SurfaceTools)
	case varModel:
		return a.ofKind(textModel, v1alpha1.SurfaceModels)
	case varHost:
		return a.string(textHost, a.action.Host)
	case varPath:
		return a.string(textPath, a.action.Path)
	case varMethod:
		if a.action.Override != "" {
			return nil, false // which of the two it does is not known
		}
		return a.string(textMethod, a.action.Method)
	case varPeer:
		return a.string(textPeer, a.peer)
	case varPort:
		return types.Int(a.action.Port), a.action.Port != 0
	}
	if a.claims == nil {
		return nil, false
	}
	return a.claim(name)
}

func (a *activation) claim(name string) (any, bool) {
	switch name {
	case varSubject:
		return a.string(textSubject, a.claims.Subject)
	case varAgent:
		return a.string(textAgent, a.claims.Agent)
	case varTxn:
		return a.string(textTxn, a.claims.Txn)
	case varScopes:
		if a.scopes == nil {
			a.scopes = types.NewStringList(types.DefaultTypeAdapter, a.claims.Scopes)
		}
		return a.scopes, true
	case varTctx:
		if a.tctx == nil {
			a.tctx = types.NewStringInterfaceMap(types.DefaultTypeAdapter, a.claims.Context)
		}
		return a.tctx, true
	}
	return nil, false
}

func (a *activation) ofKind(at int, kind v1alpha1.SurfaceType) (any, bool) {
	if a.action.Kind != kind {
		return nil, false
	}
	return a.string(at, a.action.Name)
}

func (a *activation) string(at int, s string) (any, bool) {
	if s == "" {
		return nil, false
	}
	if a.text[at] == nil {
		a.text[at] = types.String(s)
	}
	return a.text[at], true
}

// prepare makes the arguments ready that r reads; problem says why they
// cannot be.
func (a *activation) prepare(r *reads) (problem string) {
	if len(r.args) == 0 && !r.wholeArgs {
		return ""
	}
	all := a.action.Args
	switch all.Kind() {
	case strictjson.Object, strictjson.Absent:
	default:
		return "the arguments are no object"
	}
	if a.args == nil {
		a.args = map[string]any{}
		a.argsVal = types.NewStringInterfaceMap(types.DefaultTypeAdapter, a.args)
	}
	if r.wholeArgs {
		return a.addAll(all)
	}
	for _, name := range r.args {
		if problem := a.add(all, name); problem != "" {
			return problem
		}
	}
	return ""
}

// add converts one argument. The map may hold more than an expression reads,
// as no expression sees that: one that reads all gets addAll.
func (a *activation) add(all strictjson.Value, name string) (problem string) {
	v, ok := all.Member(name)
	if _, done := a.args[name]; !ok || done {
		return ""
	}
	if tooLong(v) {
		return "an argument is longer than conditions read"
	}
	a.args[name] = v.Any()
	return ""
}

func (a *activation) addAll(all strictjson.Value) (problem string) {
	if a.whole {
		return ""
	}
	if all.Len() > maxMembers {
		return "there are more arguments than conditions read"
	}
	for name := range all.Members() {
		if problem := a.add(all, name); problem != "" {
			return problem
		}
	}
	// The value knows its size from when it was made.
	a.argsVal = types.NewStringInterfaceMap(types.DefaultTypeAdapter, a.args)
	a.whole = true
	return ""
}

func tooLong(v strictjson.Value) bool {
	return v.Kind() != strictjson.String && len(v.Raw()) > maxValueBytes
}
