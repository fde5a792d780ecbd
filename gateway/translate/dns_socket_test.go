package translate

import (
	"net/netip"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hopgate/hopgate/gateway/source"
)

const asked = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: eg}
spec:
  gatewayClassName: hopgate
  infrastructure: {parametersRef: {group: hopgate.dev, kind: GatewayConfig, name: conf}}
  listeners:
  - {name: proxy, port: 3128, protocol: hopgate.dev/Proxy}
---
apiVersion: hopgate.dev/v1alpha1
kind: GatewayConfig
metadata: {name: conf}
spec: {egress: {dns: {listen: "127.0.0.1:5353", clients: [127.0.0.0/8]}}}
`

// TestNamesState: whether names are answered is said on the Gateway, as it is
// told of, and of the socket that is wanted now.
func TestNamesState(t *testing.T) {
	t.Parallel()
	c := filesConfig()
	c.AwaitEnvoy = true
	tr := newTranslator(t, c)
	tr.Apply(source.Delta{Upserts: read(t, asked)}, noon())
	open := NamesState{Gateway: "default/eg", Listen: netip.MustParseAddrPort("127.0.0.1:5353")}
	taken, other := open, open
	taken.Reason, taken.Message = "PortUnavailable", "it is in use"
	other.Listen = netip.MustParseAddrPort("127.0.0.1:5354")
	for _, step := range []struct {
		what    string
		states  []NamesState
		status  metav1.ConditionStatus
		reason  string
		message string
		changed int
	}{
		{"nobody has said", nil, metav1.ConditionUnknown, "Pending", "the socket was not opened yet", 0},
		{"taken", []NamesState{taken}, metav1.ConditionFalse, "PortUnavailable", "names are not answered: it is in use", 1},
		{"still", []NamesState{taken}, metav1.ConditionFalse, "PortUnavailable", "names are not answered: it is in use", 0},
		{"open", []NamesState{open}, metav1.ConditionTrue, "Answered", "", 1},
		{"another socket", []NamesState{other}, metav1.ConditionUnknown, "Pending", "the socket was not opened yet", 1},
		{"open again", []NamesState{open}, metav1.ConditionTrue, "Answered", "", 1},
		{"gone", nil, metav1.ConditionUnknown, "Pending", "the socket was not opened yet", 1},
		{"of a Gateway that is not there", []NamesState{{Gateway: "default/none", Reason: "x"}}, metav1.ConditionUnknown, "Pending", "the socket was not opened yet", 0},
	} {
		before := tr.feed
		r := tr.SetNames(step.states, noon())
		got, _ := condition(statusOf(t, tr, kindGateway, "default", "eg"), "", typeNames)
		if got.Status != step.status || got.Reason != step.reason || got.Message != step.message || len(r.Statuses) != step.changed || r.Feed != before {
			t.Errorf("%s: %s %s: %s; %d statuses changed", step.what, got.Status, got.Reason, got.Message, len(r.Statuses))
		}
	}
}

// TestNamesAreNotWanted: a Gateway that answers nobody says nothing of names.
func TestNamesAreNotWanted(t *testing.T) {
	t.Parallel()
	tr, _ := calmTranslator(t, filesConfig())
	tr.SetNames([]NamesState{{Gateway: "calm/calm", Reason: "PortUnavailable"}}, noon())
	if got, ok := condition(statusOf(t, tr, kindGateway, "calm", "calm"), "", typeNames); ok {
		t.Errorf("it says %v", got)
	}
}
