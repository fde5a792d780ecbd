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

// Worst cases within the default body limit of 1 MiB, some of them refused.
func BenchmarkWorst(b *testing.B) {
	for name, body := range map[string]string{
		"many arguments":    call("tools/call", `{"name":"x","arguments":{`+manyMembers(60_000)+`}}`),
		"many inside":       call("tools/call", `{"name":"x","arguments":{"x":{`+manyMembers(60_000)+`}}}`),
		"1024 arguments":    call("tools/call", `{"name":"x","arguments":{`+manyMembers(1024)+`}}`),
		"many params":       call("tools/call", `{"name":"x",`+strings.ReplaceAll(manyMembers(1000), `"k`, `"argumen`)+`}`),
		"long escaped name": call("tools/call", `{"name":"x","`+strings.Repeat(`\u005f`, 1<<17)+`":1}`),
		"numbers":           call("tools/call", `{"name":"x","arguments":{"x":[`+strings.Repeat("1,", 1<<16)+`1]}}`),
		"text":              call("tools/call", `{"name":"x","arguments":{"x":"`+strings.Repeat("y", 1<<20)+`"}}`),
	} {
		b.Run(name, func(b *testing.B) {
			in := post(body)
			var r mcp.Request
			b.SetBytes(int64(len(in.Body)))
			b.ReportAllocs()
			for b.Loop() {
				_ = r.Read(in)
			}
		})
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
