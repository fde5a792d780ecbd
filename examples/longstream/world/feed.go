package world

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/net/websocket"
)

// Feed tells what is new: to a WebSocket for as long as ctx lives, to any other
// request once.
func Feed(ctx context.Context) http.Handler {
	socket := websocket.Server{Handler: func(c *websocket.Conn) { tell(ctx, c) }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			fmt.Fprintln(w, "nothing new")
			return
		}
		socket.ServeHTTP(w, r)
	})
}

// tell ends with the socket: who writes to one that is gone is told so.
func tell(ctx context.Context, c *websocket.Conn) {
	t := time.NewTicker(pace)
	defer t.Stop()
	for i := 1; ; i++ {
		if err := websocket.Message.Send(c, fmt.Sprintf("news %d", i)); err != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}
