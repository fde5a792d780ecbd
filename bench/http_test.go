package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestCrowd(t *testing.T) {
	t.Parallel()
	u, err := newUpstream()
	if err != nil {
		t.Fatal(err)
	}
	cs, err := dialMany(t.Context(), int(u.at.Port()), 3)
	if err != nil {
		t.Fatal(err)
	}
	took, err := cs.press(t.Context(), requestFor("/", "token"), 20*time.Millisecond)
	if err != nil || len(took) < len(cs) {
		t.Errorf("press = %d answers, %v; want one a connection at least", len(took), err)
	}
	if err := cs.close(); err != nil {
		t.Error(err)
	}
	if err := u.close(); err != nil {
		t.Error(err)
	}
}

// An answer that is not 200 must not count as a fast one.
func TestCrowdWantsOK(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"denied", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, "answered 403"},
		{"closing", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") }, "closed by the answer"},
		{"cut off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(tt.handler)
			t.Cleanup(s.Close)
			cs, err := dialMany(t.Context(), s.Listener.Addr().(*net.TCPAddr).Port, 2)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { cs.close() })
			if _, err := cs.press(t.Context(), requestFor("/", "t"), time.Second); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("press = %v, want %q", err, tt.want)
			}
		})
	}
}
