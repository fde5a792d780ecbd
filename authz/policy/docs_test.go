package policy

import (
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/surface/llm"
	"github.com/hopgate/hopgate/authz/surface/mcp"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// Every policy on the page is accepted, without a warning.
func TestPageExamples(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(readPage(t), -1)
	if len(blocks) < 4 {
		t.Fatalf("only %d examples", len(blocks))
	}
	c := newCompiler(t)
	for _, block := range blocks {
		for doc := range strings.SplitSeq(block[1], "\n---\n") {
			var p v1alpha1.AccessPolicy
			if err := yaml.UnmarshalStrict([]byte(doc), &p); err != nil {
				t.Errorf("%v in:\n%s", err, doc)
				continue
			}
			for _, problem := range c.CheckPolicy(&p) {
				t.Errorf("%s: %s", p.Name, problem)
			}
			if len(p.Spec.TargetRefs) == 0 || len(p.Spec.Rules) == 0 {
				t.Errorf("%s: no target or no rules", p.Name)
			}
		}
	}
}

// The page's variables are those that are declared.
func TestPageVariables(t *testing.T) {
	t.Parallel()
	text := readPage(t)
	for _, name := range []string{
		varArgs, varTool, varModel, varHost, varPort, varPath, varMethod, varSubject, varAgent, varPeer, varScopes, varTctx, varTxn,
	} {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("%s is not on the page", name)
		}
		if _, iss := newCompiler(t).env.Compile("type(" + name + ") == string"); iss.Err() != nil {
			t.Errorf("%s is not declared: %v", name, iss.Err())
		}
	}
}

// Codes are words that denials know.
func TestCodesAreDenials(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, c := range denial.All() {
		known[c.Name] = true
	}
	for _, code := range []string{
		CodeNoRule, CodeRuleDenied, CodeRuleError, CodePolicyRejected, CodeApprovalRequired,
		CodeLimitExceeded, CodeLimitMissing, CodeUnmatched,
		CodeReleaseAgeUnknown, CodeReleaseTooNew, CodeDigestRequired, CodeBadPath,
	} {
		if !known[code] {
			t.Errorf("%s is no denial", code)
		}
	}
}

// What rules may list is what the surfaces say.
func TestSurfaceWords(t *testing.T) {
	t.Parallel()
	operations := strings.Join(modelOperations(), " ")
	for _, op := range []string{
		llm.Chat, llm.Completion, llm.Response, llm.Embedding, llm.Image, llm.Audio,
		llm.Moderation, llm.List, llm.Count, llm.Invoke, llm.Other,
	} {
		if !strings.Contains(operations, op) {
			t.Errorf("rules do not know the operation %s", op)
		}
	}
	methods := strings.Join(toolMethods(), " ")
	for _, m := range []string{mcp.MethodStream, mcp.MethodEnd, mcp.MethodResponse} {
		if !strings.Contains(methods, m) {
			t.Errorf("rules do not know the method %s", m)
		}
	}
}
