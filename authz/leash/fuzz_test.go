package leash

import (
	"io"
	"log/slog"
	"testing"
	"time"

	logv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	procv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/protobuf/proto"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// FuzzParseID: what is taken is written back as it was.
func FuzzParseID(f *testing.F) {
	f.Add(idOf(1).String())
	f.Add("")
	f.Add("0123456789ABCDEF0123456789abcdef")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		if err == nil && id.String() != s {
			t.Errorf("ParseID(%q) is written %q", s, id)
		}
		if err != nil && id != (ID{}) {
			t.Errorf("ParseID(%q) gives %v with an error", s, id)
		}
	})
}

// FuzzHold: whatever the first message of a side stream is, it opens the hold
// of the hop whose id it names, or none.
func FuzzHold(f *testing.F) {
	known := idOf(1)
	for _, m := range []*procv3.ProcessingRequest{opening(known.String()), opening(""), trailers(), {}} {
		raw, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := &procv3.ProcessingRequest{}
		if proto.Unmarshal(raw, m) != nil {
			return
		}
		r := NewRegister(Config{Now: time.Now, Ended: func(*Hop, Ending) {}})
		if err := r.Enter(&Hop{ID: known, Held: true}); err != nil {
			t.Fatal(err)
		}
		e := newEnvoy(t)
		e.says <- m
		close(e.says)
		if err := NewHolder(r, verdict(""), plainWords{}, slog.New(slog.DiscardHandler)).Process(e); err != nil {
			t.Fatalf("Process = %v", err)
		}
		named := m.GetMetadataContext().GetFilterMetadata()[wire.AuthzNamespace].GetFields()[wire.MetaHopID].GetStringValue() == known.String()
		if got := e.took(); len(got) == 0 || (got[0] == "go on") && !named {
			t.Errorf("Envoy heard %q", got)
		}
	})
}

// FuzzEndLog: whatever is logged, at most the hop that is named ends, and once.
func FuzzEndLog(f *testing.F) {
	known := idOf(1)
	for _, m := range []*logv3.StreamAccessLogsMessage{
		message(entry(known.String(), "via_upstream")), message(entry(known.String(), "x"), entry(known.String(), "y")), message(entry("", "")), {},
	} {
		raw, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := &logv3.StreamAccessLogsMessage{}
		if proto.Unmarshal(raw, m) != nil {
			return
		}
		ends := 0
		r := NewRegister(Config{Now: time.Now, Ended: func(_ *Hop, e Ending) {
			if ends++; e.How == "" {
				t.Error("an end that says nothing")
			}
		}})
		if err := r.Enter(&Hop{ID: known}); err != nil {
			t.Fatal(err)
		}
		if err := NewEndLog(r).StreamAccessLogs(&logStream{messages: []*logv3.StreamAccessLogsMessage{m}, end: io.EOF}); err != nil {
			t.Fatal(err)
		}
		if ends > 1 || ends+r.Len() != 1 {
			t.Errorf("%d ends, and %d hops are left", ends, r.Len())
		}
	})
}
