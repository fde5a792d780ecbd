package llm_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/surface/llm"
)

// conversation is a chat of about size bytes, as agents send them.
func conversation(size int) string {
	var b strings.Builder
	b.WriteString(`{"model":"gpt-4o","stream":true,"max_completion_tokens":4096,"messages":[{"role":"system","content":"You help."}`)
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, `,{"role":"user","content":[{"type":"text","text":"%s\n"}]}`, strings.Repeat("read the file, then tell me what it does; ", 30))
		fmt.Fprintf(&b, `,{"role":"assistant","tool_calls":[{"id":"call_%d","type":"function","function":{"name":"read","arguments":"{\"path\":\"src/%d.go\"}"}}]}`, i, i)
	}
	b.WriteString(`]}`)
	return b.String()
}

func benchmark(b *testing.B, body string) {
	in := post(llm.OpenAI, chatPath, body)
	var r llm.Request
	b.SetBytes(int64(len(in.Body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Read(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLLM300KiB(b *testing.B) { benchmark(b, conversation(300<<10)) }

func BenchmarkLLM16MiB(b *testing.B) { benchmark(b, conversation(16<<20)) }

// Many small values below the levels that are kept.
func BenchmarkLLM16MiBNumbers(b *testing.B) {
	benchmark(b, `{"model":"m","input":[[`+strings.Repeat("1,", 8<<20)+`1]]}`)
}

// The memory for a body does not grow with what it holds.
func TestAllocations(t *testing.T) {
	in := post(llm.OpenAI, chatPath, conversation(300<<10))
	var r llm.Request
	n := testing.AllocsPerRun(20, func() {
		if err := r.Read(in); err != nil {
			t.Fatal(err)
		}
	})
	if n > 2 {
		t.Errorf("Read allocates %v times, want at most 2", n)
	}
}
