package audit

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func BenchmarkEncode(b *testing.B) {
	r := typical()
	var e encoder
	b.ReportAllocs()
	for b.Loop() {
		e = encoder{b: e.b[:0]}
		e.encode(&r, "abababababababababababababababab")
	}
	b.SetBytes(int64(len(e.b)))
}

// benchLog is a log on a real disk.
func benchLog(b *testing.B) *Log {
	b.Helper()
	cfg := testConfig()
	cfg.Path, cfg.Now, cfg.Linger = filepath.Join(b.TempDir(), "audit.jsonl"), time.Now, 0
	l, err := Open(cfg)
	must(b, err)
	go l.Run(context.Background()) //nolint:errcheck // Close says it
	b.Cleanup(func() { must(b, l.Close()) })
	return l
}

// settle waits for room, as a gateway under this load would have to.
func settle(l *Log) {
	for l.Stats().QueuedBytes > 4<<20 {
		runtime.Gosched()
	}
}

// BenchmarkAppend is what a decision waits for: encoding and the queue, with
// the writer at work beside it.
func BenchmarkAppend(b *testing.B) {
	l := benchLog(b)
	r := typical()
	r.Kind = KindDeny
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if err := l.Append(r); err != nil {
			b.Fatal(err)
		}
		if n++; n%1000 == 0 {
			b.StopTimer()
			settle(l)
			b.StartTimer()
		}
	}
}

// BenchmarkThroughput is the whole way to the file, the writer's part too.
func BenchmarkThroughput(b *testing.B) {
	l := benchLog(b)
	r := typical()
	r.Kind = KindDeny
	b.ReportAllocs()
	for b.Loop() {
		for l.Append(r) != nil {
			settle(l)
		}
	}
}

func BenchmarkDurable(b *testing.B) {
	for _, waiters := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("waiters=%d", waiters), func(b *testing.B) {
			l := benchLog(b)
			r := typical()
			r.Kind = KindDeny
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for w := range waiters {
				wg.Go(func() {
					for i := w; i < b.N; i += waiters {
						if err := l.AppendDurable(context.Background(), r); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

func benchText(b *testing.B) string {
	b.Helper()
	r := typical()
	r.Kind = KindDeny
	records := make([]Record, 20000)
	for i := range records {
		records[i] = r
	}
	cfg := testConfig()
	cfg.QueueBytes = 1 << 30
	_, text := written(b, cfg, records...)
	return text
}

func BenchmarkVerify(b *testing.B) {
	text := benchText(b)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := Verify(strings.NewReader(text), testPub())
		if err != nil || !r.OK() {
			b.Fatal(err, r)
		}
	}
}

func BenchmarkTree(b *testing.B) {
	text := benchText(b)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		t := NewBuilder(Filter{})
		if _, err := t.Read(strings.NewReader(text)); err != nil {
			b.Fatal(err)
		}
		must(b, WriteTrees(io.Discard, t.Trees(), Style{Width: 120}))
	}
}
