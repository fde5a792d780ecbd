package check

import (
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/google/go-cmp/cmp"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"
)

// options are headers as Envoy reads them: each replaces what is there.
func options(pairs []Pair) []*corev3.HeaderValueOption {
	var out []*corev3.HeaderValueOption
	for _, p := range pairs {
		out = append(out, &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: p.Name, Value: p.Value},
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		})
	}
	return out
}

func decoded(t testing.TB, a *Answer) *authv3.CheckResponse {
	t.Helper()
	m := &authv3.CheckResponse{}
	if err := proto.Unmarshal(a.Bytes(), m); err != nil {
		t.Fatalf("%v in %x", err, a.Bytes())
	}
	if len(m.ProtoReflect().GetUnknown()) > 0 {
		t.Fatalf("fields that there are not in %x", a.Bytes())
	}
	return m
}

// long is longer than one byte of length tells, and two.
func long() []string {
	return []string{"", "a", strings.Repeat("b", 127), strings.Repeat("c", 128), strings.Repeat("d", 16383), strings.Repeat("e", 16384), "ünï"}
}

func TestAllow(t *testing.T) {
	t.Parallel()
	var a Answer // used again and again
	for _, v := range long() {
		for _, tc := range []struct {
			set      []Pair
			remove   []string
			metadata []Pair
		}{
			{},
			{set: []Pair{{"x", v}}},
			{remove: []string{"a", v}},
			{metadata: []Pair{{"k", v}}},
			{set: []Pair{{"x", v}, {"y", "1"}}, remove: []string{"txn-token"}, metadata: []Pair{{"hop_id", v}, {"hold", "headers"}, {v, "z"}}},
		} {
			a.Allow(tc.set, tc.remove, tc.metadata)
			fields := map[string]*structpb.Value{}
			for _, p := range tc.metadata {
				fields[p.Name] = structpb.NewStringValue(p.Value)
			}
			want := &authv3.CheckResponse{
				Status:          &rpcstatus.Status{},
				HttpResponse:    &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{Headers: options(tc.set), HeadersToRemove: tc.remove}},
				DynamicMetadata: &structpb.Struct{Fields: fields},
			}
			if diff := cmp.Diff(want, decoded(t, &a), protocmp.Transform(), protocmp.IgnoreEmptyMessages()); diff != "" {
				t.Fatalf("answer (-want +got):\n%.2000s", diff)
			}
			if decoded(t, &a).GetOkResponse() == nil {
				t.Fatal("an allow without an OK is none")
			}
		}
	}
}

func TestDeny(t *testing.T) {
	t.Parallel()
	var a Answer
	for _, v := range long() {
		for _, status := range []int{200, 403, 407, 503} {
			headers := []Pair{{"content-type", "application/json"}, {"x", v}}
			a.Deny(status, headers, []byte(v))
			want := &authv3.CheckResponse{
				Status: &rpcstatus.Status{Code: codePermissionDenied},
				HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
					Status: &typev3.HttpStatus{Code: typev3.StatusCode(status)}, Headers: options(headers), Body: v,
				}},
			}
			if diff := cmp.Diff(want, decoded(t, &a), protocmp.Transform()); diff != "" {
				t.Fatalf("answer (-want +got):\n%.2000s", diff)
			}
		}
	}
}

// TestAnAnswerHoldsNothingOfTheOneBefore: a work is another's in a moment.
func TestAnAnswerHoldsNothingOfTheOneBefore(t *testing.T) {
	t.Parallel()
	var a Answer
	a.Allow([]Pair{{"authorization", "sk-secret"}}, []string{"txn-token"}, []Pair{{"hop_id", "ab"}})
	a.Deny(403, nil, nil)
	if got := string(a.Bytes()); strings.Contains(got, "sk-secret") {
		t.Errorf("a denial holds an allow's secret: %q", got)
	}
	want := &authv3.CheckResponse{
		Status:       &rpcstatus.Status{Code: codePermissionDenied},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{Status: &typev3.HttpStatus{Code: 403}}},
	}
	if diff := cmp.Diff(want, decoded(t, &a), protocmp.Transform()); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	a.Allow(nil, nil, nil)
	if m := decoded(t, &a); m.GetOkResponse() == nil || len(m.GetOkResponse().GetHeaders()) != 0 || m.GetDeniedResponse() != nil {
		t.Errorf("an allow holds a denial: %v", m)
	}
}
