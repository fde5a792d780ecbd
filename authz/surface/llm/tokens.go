package llm

import (
	"math"
	"strings"

	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/surface"
)

// tokens gathers how long an answer may get.
type tokens struct {
	// most is the limit of one alternative; 0: none was said.
	most int64
	// factor is how many alternatives are asked for; 0: one.
	factor int64
	// wrong is the value that could not be taken; absent: none.
	wrong strictjson.Value
}

// limit takes the limit by any of names. Two must say the same: providers
// differ in which they prefer.
func (t *tokens) limit(object strictjson.Value, names ...string) {
	for _, name := range names {
		if v, ok := given(object, name); ok {
			t.add(v)
		}
	}
}

func (t *tokens) add(v strictjson.Value) {
	n, ok := v.Int()
	if !ok || n < 1 || t.most > 0 && t.most != n {
		t.wrong = v
		return
	}
	t.most = n
}

// times takes a number of alternatives by any of names; the largest counts.
func (t *tokens) times(object strictjson.Value, names ...string) {
	largest := int64(1)
	for _, name := range names {
		v, ok := given(object, name)
		if !ok {
			continue
		}
		n, ok := v.Int()
		if !ok || n < 1 {
			t.wrong = v
			return
		}
		largest = max(largest, n)
	}
	t.multiply(largest)
}

// prompts counts the prompts of a completion: each of an array of strings or
// of token arrays is answered by itself. An array of numbers is one prompt.
func (t *tokens) prompts(root strictjson.Value) {
	v, _ := root.Member("prompt")
	for e := range v.Elems() {
		if e.Kind() != strictjson.Number {
			t.multiply(int64(v.Len()))
		}
		return
	}
}

func (t *tokens) multiply(n int64) {
	t.factor = product(max(t.factor, 1), n)
}

// product is a*b of two positive numbers, or the largest there is.
func product(a, b int64) int64 {
	if a > math.MaxInt64/b {
		return math.MaxInt64
	}
	return a * b
}

func (r *Request) take(t tokens) error {
	if t.wrong.Kind() != strictjson.Absent {
		return surface.RefuseAt(surface.ReasonOutputTokens, t.wrong)
	}
	if t.most > 0 {
		r.OutputTokens = product(t.most, max(t.factor, 1))
	}
	return nil
}

// limitsOutput reports whether a model's own parameter of that name may limit
// its answer, in whatever spelling.
func limitsOutput(name string) bool {
	for _, k := range []string{
		"maxtokens", "maxtokenstosample", "maxnewtokens", "maxgenlen", "maxtokencount",
		"maxcompletiontokens", "maxoutputtokens",
	} {
		if surface.Resembles(name, k) {
			return true
		}
	}
	return false
}

// family is the maker of a Bedrock model, by its ID or that of a
// cross-region profile (us.anthropic.claude-...); empty where the ID is an ARN
// that does not say.
func family(model string) string {
	for part := range strings.SplitSeq(model[strings.LastIndexByte(model, '/')+1:], ".") {
		switch part {
		case "anthropic", "meta", "mistral", "deepseek", "cohere", "amazon":
			return part
		}
	}
	return ""
}
