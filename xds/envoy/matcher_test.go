package envoy

import (
	"testing"

	inputsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/matching/common_inputs/network/v3"
	metadatav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/matching/input_matchers/metadata/v3"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// holds evaluates a predicate as Envoy does, for what Check said.
func holds(t *testing.T, p *predicate, said map[string]string) bool {
	t.Helper()
	if o := p.GetOrMatcher(); o != nil {
		for _, q := range o.GetPredicate() {
			if holds(t, q, said) {
				return true
			}
		}
		return false
	}
	if n := p.GetNotMatcher(); n != nil {
		return !holds(t, n, said)
	}
	input, match := &inputsv3.DynamicMetadataInput{}, &metadatav3.Metadata{}
	if err := p.GetSinglePredicate().GetInput().GetTypedConfig().UnmarshalTo(input); err != nil {
		t.Fatal(err)
	}
	if err := p.GetSinglePredicate().GetCustomMatch().GetTypedConfig().UnmarshalTo(match); err != nil {
		t.Fatal(err)
	}
	if input.GetFilter() != wire.AuthzNamespace || len(input.GetPath()) != 1 {
		t.Fatalf("a matcher reads %v", input)
	}
	got, there := said[input.GetPath()[0].GetKey()]
	return there && got == match.GetValue().GetStringMatch().GetExact()
}
