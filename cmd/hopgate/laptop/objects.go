package laptop

import (
	"net/netip"

	"github.com/hopgate/hopgate/authz/policy"
	surfaceregistry "github.com/hopgate/hopgate/authz/surface/registry"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/translate"
)

// LocalAudience is that of the built-in TrustDomain.
const LocalAudience = "local"

// TranslateConfig is how objects are read on one machine: by `run`, and by
// `check`, which must say what run would. await is for who hears Envoy's
// answers.
func TranslateConfig(jwks []byte, policies translate.PolicyChecker, await bool, reserved []netip.AddrPort) translate.Config {
	return translate.Config{
		BuiltIn:           true,
		LocalAudience:     LocalAudience,
		LocalKeySet:       v1alpha1.KeySet{Type: v1alpha1.KeySetInline, Inline: string(jwks)},
		LoopbackEndpoints: true,
		Folder:            folder(),
		OnStale:           "Report",
		AwaitEnvoy:        await,
		Policies:          policies,
		PackageName:       surfaceregistry.Spelling,
		Reserved:          reserved,
	}
}

// policyChecker has the translator ask the engine that will decide: what
// status says of a policy and what it does cannot differ.
func policyChecker(c *policy.Compiler) translate.PolicyChecker {
	return translate.PolicyCheckerFunc(func(p *v1alpha1.AccessPolicy) []translate.PolicyFinding {
		var out []translate.PolicyFinding
		for _, f := range c.CheckPolicy(p) {
			out = append(out, translate.PolicyFinding{
				Field: f.Field, Reason: string(f.Reason), Message: f.Message, Refused: f.Severity == policy.Error,
			})
		}
		return out
	})
}

// newPolicyChecker is policyChecker with an engine of its own.
func newPolicyChecker(cfg policy.Config) (translate.PolicyChecker, error) {
	c, err := policy.New(cfg)
	if err != nil {
		return nil, err
	}
	return policyChecker(c), nil
}
