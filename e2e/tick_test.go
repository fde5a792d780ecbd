package e2e

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"
)

// tickEvery is how often what streams says something.
const tickEvery = 20 * time.Millisecond

// ticks answers with a stream that never ends by itself, or at /poll not at all.
func ticks(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/poll") {
		<-r.Context().Done()
		return
	}
	if r.Header.Get("Upgrade") == "websocket" {
		upgraded(w)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	tick(r.Context(), tickEvery, func() error {
		if _, err := io.WriteString(w, "data: tick\n\n"); err != nil {
			return err
		}
		return http.NewResponseController(w).Flush()
	})
}

// upgraded is ticks on a WebSocket.
func upgraded(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	if _, err := io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"); err != nil {
		return
	}
	tick(context.Background(), tickEvery, func() error {
		_, err := io.WriteString(c, "\x81\x04tick")
		return err
	})
}

// tick does something again and again until it cannot.
func tick(ctx context.Context, every time.Duration, do func() error) {
	t := time.NewTicker(every)
	defer t.Stop()
	for do() == nil {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}
