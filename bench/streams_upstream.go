package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// What there is behind Envoy: pages, and tools of the same kinds.
const (
	pathShort  = "/page/short"
	pathStream = "/page/stream"
	pathEvents = "/page/events"
	pathTools  = "/mcp"

	toolShort  = "look"
	toolStream = "watch"
	toolEvents = "follow"
)

const (
	// streamHead begins an answer that streams. It ends with its connection.
	streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
	// streamEvent is one event, as a tool sends it that makes progress.
	streamEvent = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"," +
		"\"params\":{\"progressToken\":17,\"progress\":1,\"message\":\"some of it has been read\"}}\n\n"
	toolAnswer = `{"jsonrpc":"2.0","id":17,"result":{"content":[{"type":"text","text":"a small answer"}]}}`
)

// eventEvery is how often one stream has an event.
const eventEvery = 2 * time.Millisecond

// sources is an upstream of streams: those that are silent after their first
// event, and those that go on.
type sources struct {
	*upstream
	open sync.WaitGroup
}

func newSources() (_ *sources, err error) {
	s := &sources{}
	s.upstream, err = serveUpstream(s)
	return s, err
}

// close waits for streams; Envoy is to have ended before.
func (s *sources) close() error {
	err := s.upstream.close()
	s.open.Wait()
	return err
}

func (s *sources) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	// Whoever has gone needs no answer.
	switch {
	case r.URL.Path == pathStream || bytes.Contains(body, []byte(`"`+toolStream+`"`)):
		s.stream(w, wait)
	case r.URL.Path == pathEvents || bytes.Contains(body, []byte(`"`+toolEvents+`"`)):
		s.stream(w, keepTelling)
	case r.URL.Path == pathTools:
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, toolAnswer)
	default:
		_, _ = io.WriteString(w, smallBody)
	}
}

// stream takes the connection for itself: ten thousand of them are to cost
// little.
func (s *sources) stream(w http.ResponseWriter, then func(net.Conn)) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	s.open.Go(func() {
		defer c.Close()
		if _, err := io.WriteString(c, streamHead+streamEvent); err == nil {
			then(c)
		}
	})
}

// wait returns when the connection has ended.
func wait(c net.Conn) {
	var one [1]byte
	for {
		if _, err := c.Read(one[:]); err != nil {
			return
		}
	}
}

// keepTelling returns when nothing more can be told.
func keepTelling(c net.Conn) {
	t := time.NewTicker(eventEvery)
	defer t.Stop()
	for range t.C {
		if _, err := io.WriteString(c, streamEvent); err != nil {
			return
		}
	}
}
