package mcp_test

import (
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/surface/mcp"
)

func benchCall() mcp.Input {
	in := post(call("tools/call", `{"name":"search_code","_meta":{"progressToken":"p-1"},"arguments":{"repo":"acme/widgets","limit":50,"query":"`+
		strings.Repeat("find the parser, then ", 80)+`","paths":["a","b","c"],"dry":false}}`))
	in.Version, in.Method, in.Name = surface.One("2026-07-28"), surface.One("tools/call"), surface.One("search_code")
	return in
}

func BenchmarkMCPCall(b *testing.B) {
	in := benchCall()
	var r mcp.Request
	b.SetBytes(int64(len(in.Body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Read(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendError(b *testing.B) {
	var dst []byte
	d := denial()
	b.ReportAllocs()
	for b.Loop() {
		dst = mcp.AppendError(dst[:0], []byte("7"), d)
	}
}

// A call costs one allocation: its name, which outlives the body.
func TestAllocations(t *testing.T) {
	in := benchCall()
	var r mcp.Request
	n := testing.AllocsPerRun(100, func() {
		if err := r.Read(in); err != nil {
			t.Fatal(err)
		}
	})
	if n > 1 {
		t.Errorf("Read allocates %v times, want at most 1", n)
	}
}
