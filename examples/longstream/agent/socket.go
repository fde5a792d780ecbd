package agent

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"

	"golang.org/x/net/websocket"
)

// Follow holds a WebSocket.
func (a *Agent) Follow(ctx context.Context) (*Stream, error) {
	conf, err := websocket.NewConfig("ws://"+a.Base+"/feed", "http://"+a.Base)
	if err != nil {
		return nil, err
	}
	conf.Header = http.Header{"Txn-Token": {a.Token}}
	c, err := conf.DialContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("open a WebSocket to /feed: %w", err)
	}
	return hold("socket", c, func(h *Heard) (string, error) { return frame(c, h) }), nil
}

// frame reads one frame (RFC 6455 section 5). Messages of this feed have one.
func frame(c *websocket.Conn, h *Heard) (string, error) {
	f, err := c.NewFrameReader()
	if err != nil {
		return Broken, err
	}
	head, err := io.Copy(io.Discard, f.HeaderReader())
	if err != nil {
		return Broken, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxAnswer))
	if err != nil {
		return Broken, err
	}
	if int(head)+len(b) != f.Len() {
		return Broken, io.ErrUnexpectedEOF
	}
	switch f.PayloadType() {
	case websocket.CloseFrame:
		if len(b) >= 2 {
			h.Status, h.Reason = int(binary.BigEndian.Uint16(b)), string(b[2:])
		}
		return Closed, nil
	case websocket.TextFrame:
		h.Pieces, h.Last = h.Pieces+1, string(b)
	}
	return "", nil
}
