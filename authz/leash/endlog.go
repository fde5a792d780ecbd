package leash

import (
	"errors"
	"io"

	logdatav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	logv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"

	"github.com/hopgate/hopgate/gateway/api/wire"
)

// EndLog serves the access log by which Envoy tells how hops ended, and what it
// has counted of those that go on.
type EndLog struct {
	logv3.UnimplementedAccessLogServiceServer
	register *Register
}

// NewEndLog makes the service.
func NewEndLog(r *Register) *EndLog { return &EndLog{register: r} }

// StreamAccessLogs reads entries until Envoy closes.
func (e *EndLog) StreamAccessLogs(stream logv3.AccessLogService_StreamAccessLogsServer) error {
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errClosed(err)
		}
		for _, entry := range m.GetHttpLogs().GetLogEntry() {
			e.entry(entry)
		}
	}
}

func (e *EndLog) entry(m *logdatav3.HTTPAccessLogEntry) {
	c := m.GetCommonProperties()
	ns := c.GetMetadata().GetFilterMetadata()[wire.AuthzNamespace]
	id, err := ParseID(ns.GetFields()[wire.MetaHopID].GetStringValue())
	if err != nil {
		return
	}
	switch c.GetAccessLogType() {
	case logdatav3.AccessLogType_DownstreamPeriodic:
		e.register.Saw(id, m.GetRequest().GetRequestBodyBytes(), m.GetResponse().GetResponseBodyBytes())
	case logdatav3.AccessLogType_DownstreamEnd:
		e.ended(id, m)
	default: // it says nothing of the end: the hop goes on
	}
}

func (e *EndLog) ended(id ID, m *logdatav3.HTTPAccessLogEntry) {
	c := m.GetCommonProperties()
	flags := c.GetResponseFlags()
	e.register.Logged(id, Logged{
		In:         m.GetRequest().GetRequestBodyBytes(),
		Out:        m.GetResponse().GetResponseBodyBytes(),
		Duration:   c.GetDuration().AsDuration(),
		Status:     m.GetResponse().GetResponseCode().GetValue(),
		Details:    m.GetResponse().GetResponseCodeDetails(),
		ClientLeft: flags.GetDownstreamConnectionTermination() || flags.GetDownstreamRemoteReset(),
	})
}
