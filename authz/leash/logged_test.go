package leash

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	logdatav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	logv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/hopgate/hopgate/authz/rawproto"
	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/internal/testproto"
)

// report is what an entry tells.
type report struct {
	Hop, About string
	Logged     Logged
}

func reportsOf(b []byte) (out []report, err error) {
	var l logged
	if err := l.ReadProto(mem.BufferSlice{mem.SliceBuffer(b)}); err != nil {
		return nil, err
	}
	defer l.free()
	err = l.entries(func(e *loggedEntry) { out = append(out, report{string(e.hop), e.about.String(), e.logged()}) })
	return out, err
}

// reportsBy is the same by proto.Unmarshal.
func reportsBy(m *logv3.StreamAccessLogsMessage) (out []report) {
	for _, e := range m.GetHttpLogs().GetLogEntry() {
		c := e.GetCommonProperties()
		out = append(out, report{
			c.GetMetadata().GetFilterMetadata()[wire.AuthzNamespace].GetFields()[wire.MetaHopID].GetStringValue(),
			c.GetAccessLogType().String(),
			Logged{
				In: e.GetRequest().GetRequestBodyBytes(), Out: e.GetResponse().GetResponseBodyBytes(), Duration: c.GetDuration().AsDuration(),
				Status: e.GetResponse().GetResponseCode().GetValue(), Details: e.GetResponse().GetResponseCodeDetails(),
				ClientLeft: c.GetResponseFlags().GetDownstreamConnectionTermination() || c.GetResponseFlags().GetDownstreamRemoteReset(),
			},
		})
	}
	return out
}

func (d dice) entry() *logdatav3.HTTPAccessLogEntry {
	e := &logdatav3.HTTPAccessLogEntry{ProtocolVersion: logdatav3.HTTPAccessLogEntry_HTTP11}
	if d.IntN(8) > 0 {
		e.CommonProperties = &logdatav3.AccessLogCommon{
			SampleRate: d.Float64(), Metadata: d.metadata(), Duration: &durationpb.Duration{Seconds: d.Int64(), Nanos: d.Int32()},
			UpstreamCluster: d.text(), AccessLogType: logdatav3.AccessLogType(d.IntN(14)),
			ResponseFlags: &logdatav3.ResponseFlags{DownstreamConnectionTermination: d.IntN(3) == 0, DownstreamRemoteReset: d.IntN(3) == 0, NoHealthyUpstream: true},
		}
	}
	if d.IntN(8) > 0 {
		e.Request = &logdatav3.HTTPRequestProperties{Path: d.text(), RequestBodyBytes: d.Uint64(), RequestHeaders: map[string]string{d.text(): d.text()}}
	}
	if d.IntN(8) > 0 {
		e.Response = &logdatav3.HTTPResponseProperties{
			ResponseCode: wrapperspb.UInt32(d.Uint32()), ResponseBodyBytes: d.Uint64(), ResponseCodeDetails: d.text(), ResponseHeadersBytes: 7,
		}
	}
	return e
}

func (d dice) log() []byte {
	m := message()
	for range d.IntN(4) {
		m.GetHttpLogs().LogEntry = append(m.GetHttpLogs().LogEntry, d.entry())
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic(err) // it is a message of the test
	}
	return b
}

// holdReports fails unless the views of b are what proto.Unmarshal makes of it,
// or an error. It reports whether there was something to compare.
func holdReports(t testing.TB, b []byte) bool {
	t.Helper()
	before := bytes.Clone(b)
	got, err := reportsOf(b)
	if !bytes.Equal(before, b) {
		t.Fatalf("reading changed the bytes: %x", before)
	}
	m := new(logv3.StreamAccessLogsMessage)
	if perr := proto.Unmarshal(b, m); perr != nil || err != nil {
		return false
	}
	if diff := cmp.Diff(reportsBy(m), got); diff != "" {
		t.Fatalf("views differ (-proto +view):\n%s\nin %x", diff, b)
	}
	return true
}

// TestReports: what Envoy can log is read as it is said, and of 20,000 mutations
// those that can be read.
func TestReports(t *testing.T) {
	t.Parallel()
	d := dice{rand.New(rand.NewPCG(7, 8))}
	compared := 0
	for i := range 25_000 {
		b := d.log()
		switch {
		case i < 5000 && !holdReports(t, b):
			t.Fatalf("not read: %x", b)
		case i >= 5000 && holdReports(t, testproto.Mutate(d.Rand, b, d.log())):
			compared++
		}
	}
	if compared < 2000 {
		t.Errorf("only %d of 20000 mutations were compared", compared)
	}
}

// FuzzLogged holds the views against proto.Unmarshal.
func FuzzLogged(f *testing.F) {
	d := dice{rand.New(rand.NewPCG(9, 10))}
	for range 32 {
		f.Add(d.log())
	}
	f.Fuzz(func(t *testing.T, b []byte) { holdReports(t, b) })
}

// TestLoggedRefuses what is no message: the log ends, and Envoy begins another.
func TestLoggedRefuses(t *testing.T) {
	t.Parallel()
	number := rawproto.AppendNumber(nil, 1, 1)
	both := rawproto.AppendMessage(rawproto.AppendMessage(nil, entriesOfHTTP, nil), entriesOfTCP, nil)
	if _, err := reportsOf(both); !errors.Is(err, errSaidTwice) {
		t.Errorf("entries of two kinds: %v", err)
	}
	for name, b := range map[string][]byte{
		"cut off":                  {0x12, 5, 1},
		"entries as a number":      rawproto.AppendNumber(nil, 2, 1),
		"an entry as a number":     rawproto.AppendMessage(nil, 2, number),
		"properties as a number":   rawproto.AppendMessage(nil, 2, rawproto.AppendMessage(nil, 1, number)),
		"a kind as a text":         rawproto.AppendMessage(nil, 2, rawproto.AppendMessage(nil, 1, rawproto.AppendMessage(nil, 1, rawproto.AppendText(nil, 33, "x")))),
		"bytes as a text":          rawproto.AppendMessage(nil, 2, rawproto.AppendMessage(nil, 1, rawproto.AppendMessage(nil, 3, rawproto.AppendText(nil, 12, "x")))),
		"details as a number":      rawproto.AppendMessage(nil, 2, rawproto.AppendMessage(nil, 1, rawproto.AppendMessage(nil, 4, rawproto.AppendNumber(nil, 6, 1)))),
		"a status that is no code": rawproto.AppendMessage(nil, 2, rawproto.AppendMessage(nil, 1, rawproto.AppendMessage(nil, 4, rawproto.AppendNumber(nil, 1, 1)))),
	} {
		if got, err := reportsOf(b); !errors.Is(err, rawproto.ErrMalformed) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
