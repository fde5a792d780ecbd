package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/authz/canary"
	"github.com/hopgate/hopgate/gateway/controller"
	"github.com/hopgate/hopgate/gateway/source"
	"github.com/hopgate/hopgate/gateway/translate"
)

func gatewayStatus(status metav1.ConditionStatus, reason, message string) translate.Status {
	return translate.Status{
		Ref: source.Ref{Kind: "Gateway", Namespace: "default", Name: "g"},
		Gateway: &gatewayv1.GatewayStatus{Conditions: []metav1.Condition{
			{Type: "Programmed", Status: status, Reason: reason, Message: message},
		}},
	}
}

func TestTeller(t *testing.T) {
	t.Parallel()
	p := func(s source.Severity, text string) source.Problem {
		return source.Problem{File: "a.yaml", Line: 3, Message: text, Severity: s}
	}
	bad := gatewayStatus(metav1.ConditionFalse, "Invalid", "Envoy refused it")
	waiting := gatewayStatus(metav1.ConditionUnknown, "Pending", "Envoy has not answered yet")
	good := gatewayStatus(metav1.ConditionTrue, "Programmed", "")
	names := func(status metav1.ConditionStatus, reason, message string) translate.Status {
		s := gatewayStatus(status, reason, message)
		s.Gateway.Conditions[0].Type = "hopgate.dev/NamesAnswered"
		return s
	}
	for _, tc := range []struct {
		name    string
		reports []controller.Report
		want    []string
	}{
		{"nothing", []controller.Report{{Problems: []source.Problem{}}}, nil},
		{"a problem, once", []controller.Report{
			{Problems: []source.Problem{p(source.Error, "x"), p(source.Error, "x")}}, {Problems: []source.Problem{p(source.Error, "x")}}, {},
		}, []string{"error: a.yaml:3: x"}},
		{"a problem that goes and comes again", []controller.Report{
			{Problems: []source.Problem{p(source.Error, "x"), p(source.Warning, "y")}},
			{Problems: []source.Problem{p(source.Warning, "y")}},
			{},
			{Problems: []source.Problem{p(source.Warning, "y"), p(source.Error, "x")}},
			{Problems: []source.Problem{}},
		}, []string{
			"error: a.yaml:3: x", "warning: a.yaml:3: y", "mended: error: a.yaml:3: x", "error: a.yaml:3: x",
			"mended: error: a.yaml:3: x", "mended: warning: a.yaml:3: y",
		}},
		{"an object that waits for Envoy", []controller.Report{
			{Statuses: []translate.Status{waiting}}, {Statuses: []translate.Status{good}},
		}, nil},
		{"an object that is bad, waits, and is good again", []controller.Report{
			{Statuses: []translate.Status{bad}},
			{Statuses: []translate.Status{bad}},
			{Statuses: []translate.Status{waiting}},
			{Statuses: []translate.Status{good}},
			{Statuses: []translate.Status{good}},
			{Statuses: []translate.Status{bad}},
		}, []string{
			"Gateway/default/g: Programmed is not good: Invalid: Envoy refused it", "Gateway/default/g: is good again",
			"Gateway/default/g: Programmed is not good: Invalid: Envoy refused it",
		}},
		{"names that wait for a socket, are not answered, and are", []controller.Report{
			{Statuses: []translate.Status{names(metav1.ConditionUnknown, "Pending", "the socket was not opened yet")}},
			{Statuses: []translate.Status{names(metav1.ConditionFalse, "PortUnavailable", "it is in use")}},
			{Statuses: []translate.Status{names(metav1.ConditionTrue, "Answered", "")}},
		}, []string{"Gateway/default/g: hopgate.dev/NamesAnswered is not good: PortUnavailable: it is in use", "Gateway/default/g: is good again"}},
		{"an object that is gone, and back", []controller.Report{
			{Statuses: []translate.Status{bad}}, {Gone: []source.Ref{bad.Ref}}, {Statuses: []translate.Status{good}},
		}, []string{"Gateway/default/g: Programmed is not good: Invalid: Envoy refused it"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			tell := newTeller(func(s string) { got = append(got, strings.TrimSpace(s)) })
			for _, r := range tc.reports {
				tell.changed(r)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("it tells (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTellerOfCanaries(t *testing.T) {
	t.Parallel()
	fails := func(fs ...canary.Failure) canary.Verdict { return canary.Verdict{Failed: fs} }
	cut, relay := canary.Failure{Canary: canary.Cut, Saw: "routes: a stream flowed that nothing held"}, canary.Failure{Canary: canary.Relay, Saw: "no word"}
	other := canary.Failure{Canary: canary.Cut, Saw: "it was open still"}
	for _, tc := range []struct {
		name     string
		verdicts []canary.Verdict
		want     []string
	}{
		{"all pass", []canary.Verdict{{}, {}}, nil},
		{"one that does not pass, once, and then does", []canary.Verdict{fails(cut), fails(other), {}, {}}, []string{
			"error: nothing is let through: Envoy fails the canary cut: routes: a stream flowed that nothing held",
			"mended: Envoy passes the canary cut",
		}},
		{"one after another", []canary.Verdict{fails(cut), fails(relay)}, []string{
			"error: nothing is let through: Envoy fails the canary cut: routes: a stream flowed that nothing held",
			"error: nothing is let through: Envoy fails the canary relay: no word",
			"mended: Envoy passes the canary cut",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			tell := newTeller(func(s string) { got = append(got, s) })
			for _, v := range tc.verdicts {
				tell.proven(v)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("told differs (-want +got):\n%s", diff)
			}
		})
	}
}
