package envoy

import (
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	matchingv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/matching/v3"
	statev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/set_filter_state/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	procv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

func TestCheckFailsClosed(t *testing.T) {
	t.Parallel()
	seen := 0
	for name, fs := range all[*authzv3.ExtAuthz](t) {
		for _, f := range fs {
			seen++
			if f.GetFailureModeAllow() || f.GetFailureModeAllowHeaderAdd() || f.GetStatusOnError().GetCode() != typev3.StatusCode_ServiceUnavailable {
				t.Errorf("%s lets pass what was not decided, or says so badly", name)
			}
			if f.GetFilterEnabled() != nil || f.GetFilterEnabledMetadata() != nil || f.GetDenyAtDisable() != nil {
				t.Errorf("%s can be switched off", name)
			}
			if f.GetGrpcService().GetTimeout().AsDuration() <= 0 {
				t.Errorf("%s waits for a decision without end", name)
			}
			if !f.GetWithRequestBody().GetPackAsBytes() {
				t.Errorf("%s lets Envoy mend bodies", name)
			}
			if f.GetDecoderHeaderMutationRules() != nil || !f.GetValidateMutations() {
				t.Errorf("%s may drop the deadline without a word", name)
			}
		}
	}
	if seen != 6 {
		t.Errorf("%d filters ask, want one for each shape", seen)
	}
}

// TestOnlyProxiesChooseRoutesAgain: elsewhere the route that was judged is the
// route that is used (trap 9).
func TestOnlyProxiesChooseRoutesAgain(t *testing.T) {
	t.Parallel()
	for name, fs := range all[*authzv3.ExtAuthz](t) {
		if got, want := fs[0].GetClearRouteCache(), name != authzName(shapeRoutes); got != want {
			t.Errorf("%s has the route chosen again: %v", name, got)
		}
	}
}

// TestTheGuardIsSentAllHeaders: what rules may read, by what it notices that
// something was meant to pass unseen, and what budgets count: cookies too.
func TestTheGuardIsSentAllHeaders(t *testing.T) {
	t.Parallel()
	for name, fs := range all[*authzv3.ExtAuthz](t) {
		if a, d := fs[0].GetAllowedHeaders(), fs[0].GetDisallowedHeaders(); a != nil || d != nil {
			t.Errorf("%s sends %v, and keeps back %v", name, a, d)
		}
	}
}

// TestInnerHopsAreToldApart: what the guard is told of a tunnel comes from
// filter state, which no request can write.
func TestInnerHopsAreToldApart(t *testing.T) {
	t.Parallel()
	for name, fs := range all[*authzv3.ExtAuthz](t) {
		got := map[string]string{}
		for _, h := range fs[0].GetGrpcService().GetInitialMetadata() {
			got[h.GetKey()] = h.GetValue()
		}
		if name == authzName(shapeCaptureTLS) {
			if got[wire.CallSource] != "%FILTER_STATE(hopgate.source:PLAIN)%" || len(got) != 1 {
				t.Errorf("%s sends %v with its calls", name, got)
			}
			continue
		}
		if name != authzName(shapeInner) && name != authzName(shapeInspect) {
			if len(got) != 0 {
				t.Errorf("%s sends %v with its calls", name, got)
			}
			continue
		}
		if got[wire.CallTarget] != "%FILTER_STATE(hopgate.target:PLAIN)%" || got[wire.CallParent] != "%FILTER_STATE(hopgate.hop:PLAIN)%" || len(got) != 2 {
			t.Errorf("%s sends %v with its calls", name, got)
		}
	}
}

// TestHoldsFailClosed: a hold opens before the backend sees the request, lives
// as long as the hop, and takes it along.
func TestHoldsFailClosed(t *testing.T) {
	t.Parallel()
	holds := all[*procv3.ExternalProcessor](t)
	for _, name := range []string{filterHoldHeaders, filterHoldRelay} {
		if len(holds[name]) != 1 {
			t.Fatalf("%s has %d processors", name, len(holds[name]))
		}
		p := holds[name][0]
		if p.GetFailureModeAllow() || p.GetObservabilityMode() || p.GetDisableImmediateResponse() {
			t.Errorf("%s can be left, or cannot cut", name)
		}
		if p.GetStatusOnError().GetCode() != typev3.StatusCode_ServiceUnavailable || p.GetMessageTimeout().AsDuration() <= 0 {
			t.Errorf("%s waits without end, or says so badly", name)
		}
		if p.GetGrpcService().GetTimeout() != nil {
			t.Errorf("%s ends after %v", name, p.GetGrpcService().GetTimeout())
		}
		mode := p.GetProcessingMode()
		if mode.GetRequestHeaderMode() != procv3.ProcessingMode_SEND || mode.GetResponseTrailerMode() != procv3.ProcessingMode_SEND {
			t.Errorf("%s does not open first, or does not stay", name)
		}
		if mode.GetRequestBodyMode() != procv3.ProcessingMode_NONE || mode.GetRequestTrailerMode() != procv3.ProcessingMode_SKIP {
			t.Errorf("%s reads requests", name)
		}
		if got := p.GetMetadataOptions().GetForwardingNamespaces().GetUntyped(); !slices.Equal(got, []string{wire.AuthzNamespace}) {
			t.Errorf("%s is told %v, want the hop's id", name, got)
		}
	}
	if m := holds[filterHoldHeaders][0].GetProcessingMode(); m.GetResponseHeaderMode() != procv3.ProcessingMode_SKIP || m.GetResponseBodyMode() != procv3.ProcessingMode_NONE {
		t.Error("the leash reads answers")
	}
	if holds[filterHoldRelay][0].GetAllowModeOverride() {
		t.Error("a relay can be made another hold")
	}
	// What the guard may make of a leash stays as long, and reads no body.
	for _, m := range holds[filterHoldHeaders][0].GetAllowedOverrideModes() {
		if m.GetResponseTrailerMode() != procv3.ProcessingMode_SEND || m.GetRequestBodyMode() != procv3.ProcessingMode_NONE || m.GetResponseBodyMode() != procv3.ProcessingMode_NONE {
			t.Errorf("a leash can be made %v", m)
		}
	}
	if n := len(holds[filterHoldHeaders][0].GetAllowedOverrideModes()); n != 1 {
		t.Errorf("a leash can be made %d other holds, where none named means any", n)
	}
}

// TestExactlyOneHold evaluates the matchers for what Check may say: a missing
// or odd value means held.
func TestExactlyOneHold(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		said           map[string]string
		headers, relay bool
	}{
		{nil, true, false},
		{map[string]string{wire.MetaHold: wire.HoldHeaders}, true, false},
		{map[string]string{wire.MetaHold: wire.HoldRelay}, false, true},
		{map[string]string{wire.MetaHold: wire.HoldNone}, false, false},
		{map[string]string{wire.MetaHold: ""}, true, false},
		{map[string]string{wire.MetaHold: "NONE"}, true, false},
		{map[string]string{"other": wire.HoldNone}, true, false},
	} {
		if got := runs(t, filterHoldHeaders, tt.said); got != tt.headers {
			t.Errorf("%v: the leash runs: %v", tt.said, got)
		}
		if got := runs(t, filterHoldRelay, tt.said); got != tt.relay {
			t.Errorf("%v: the relay runs: %v", tt.said, got)
		}
	}
}

// TestMeters: a meter runs where Check says so and nowhere else, reads nothing
// but requests, and fails closed.
func TestMeters(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		said map[string]string
		want bool
	}{
		{nil, false},
		{map[string]string{wire.MetaMeter: wire.MeterYes}, true},
		{map[string]string{wire.MetaMeter: wire.MeterYes, wire.MetaHold: wire.HoldRelay}, true},
		{map[string]string{wire.MetaMeter: "YES"}, false},
		{map[string]string{"other": wire.MeterYes}, false},
	} {
		if got := runs(t, filterMeter, tt.said); got != tt.want {
			t.Errorf("%v: the meter runs: %v", tt.said, got)
		}
	}
	p := all[*procv3.ExternalProcessor](t)[filterMeter][0]
	m := p.GetProcessingMode()
	if p.GetFailureModeAllow() || p.GetObservabilityMode() || p.GetAllowModeOverride() || m.GetRequestBodyMode() != procv3.ProcessingMode_FULL_DUPLEX_STREAMED {
		t.Error("the meter can be left")
	}
	if m.GetResponseBodyMode() != procv3.ProcessingMode_NONE || m.GetResponseHeaderMode() != procv3.ProcessingMode_SKIP {
		t.Error("the meter reads answers")
	}
}

func TestProxiesResolveByOneCache(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]string{
		"": "", wire.ModeGuard: "guard", wire.ModeInside: "inside", wire.ModeHosts: "",
		wire.ModeGuard + wire.OpaqueSuffix: "guard", wire.ModeInside + wire.OpaqueSuffix: "inside", wire.ModeHosts + wire.OpaqueSuffix: "", "odd": "",
	} {
		for _, c := range []cache{cacheGuard, cacheInside} {
			if got := runs(t, forwardName(shapeProxy, c), map[string]string{wire.MetaMode: mode}); got != (string(c) == want) {
				t.Errorf("mode %q: the cache %s is used: %v", mode, c, got)
			}
		}
	}
}

// runs evaluates whether a wrapped filter is run for what Check said.
func runs(t *testing.T, name string, said map[string]string) bool {
	t.Helper()
	f := &matchingv3.ExtensionWithMatcher{}
	if err := one[*corev3.TypedExtensionConfig](t, name).GetTypedConfig().UnmarshalTo(f); err != nil {
		t.Fatal(err)
	}
	for _, m := range f.GetXdsMatcher().GetMatcherList().GetMatchers() {
		if holds(t, m.GetPredicate(), said) {
			return m.GetOnMatch().GetAction().GetName() != "skip"
		}
	}
	return true
}

// TestWhatCrossesIsHashable: anything else is mixed up between concurrent
// tunnels (trap 1). What Envoy's own filters read has a type of its own, and
// is kept apart by the hop's id beside it.
func TestWhatCrossesIsHashable(t *testing.T) {
	t.Parallel()
	ids := map[string]string{wire.StateHop: wire.MetaTunnel, wire.StatePool: wire.MetaPool}
	for name, vs := range all[*statev3.FilterStateValue](t) {
		for _, v := range vs {
			if name == "identity" {
				continue // it stays with its hop
			}
			if v.GetSharedWithUpstream() != statev3.FilterStateValue_TRANSITIVE {
				t.Errorf("%s: %s does not cross", name, v.GetObjectKey())
			}
			ours := strings.HasPrefix(v.GetObjectKey(), "hopgate.")
			if ours != (v.GetFactoryKey() == hashable) {
				t.Errorf("%s: %s is made by %q", name, v.GetObjectKey(), v.GetFactoryKey())
			}
			if !ours && !slices.Contains([]string{"envoy.upstream.dynamic_host", "envoy.upstream.dynamic_port", "envoy.tcp_proxy.cluster"}, v.GetObjectKey()) {
				t.Errorf("%s: %s is nobody's", name, v.GetObjectKey())
			}
			format := v.GetFormatString().GetTextFormatSource().GetInlineString()
			if strings.Contains(format, "%REQ(") {
				t.Errorf("%s: %s is what a client wrote: %s", name, v.GetObjectKey(), format)
			}
			if ids[v.GetObjectKey()] != "" && format == metadata(ids[v.GetObjectKey()]) {
				delete(ids, v.GetObjectKey())
			}
		}
	}
	for key := range ids {
		t.Errorf("%s does not cross", key)
	}
}
