package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"

	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/authz/leash"
)

// Client speaks to the gateway of a state folder.
type Client struct {
	place place
	http  *http.Client
}

// NewClient finds the gateway of a state folder. ErrNotRunning: there is none.
func NewClient(state string) (*Client, error) {
	p, err := readPlace(state)
	if err != nil {
		return nil, err
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", p.Socket)
	}
	return &Client{place: p, http: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}, nil
}

// Streams are the live streams that f chooses, oldest first.
func (c *Client) Streams(ctx context.Context, f Filter) ([]leash.Stream, error) {
	q := url.Values{}
	for name, v := range map[string]string{
		"trustDomain": f.Domain, "txn": f.Txn, "subject": f.Subject, "agent": f.Agent, "peer": f.Peer, "rule": f.Rule, "token": f.Token,
	} {
		if v != "" {
			q.Set(name, v)
		}
	}
	var out streamsAnswer
	err := c.do(ctx, http.MethodGet, "/v1/streams?"+q.Encode(), nil, &out)
	return out.Streams, err
}

// Orders are all orders that stand.
func (c *Client) Orders(ctx context.Context) ([]contain.Order, error) {
	var out ordersAnswer
	err := c.do(ctx, http.MethodGet, "/v1/orders", nil, &out)
	return out.Orders, err
}

// Order has something cut off.
func (c *Client) Order(ctx context.Context, a Ask) (Done, error) {
	var out Done
	err := c.do(ctx, http.MethodPost, "/v1/orders", a, &out)
	return out, err
}

// Lift ends an order.
func (c *Client) Lift(ctx context.Context, id string) (contain.Order, error) {
	var out liftAnswer
	err := c.do(ctx, http.MethodDelete, "/v1/orders/"+url.PathEscape(id), nil, &out)
	return out.Order, err
}

// maxAnswer bounds an answer: some hundred thousand streams.
const maxAnswer = 256 << 20

func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("ask the gateway: %w", err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://hopgate"+path, body)
	if err != nil {
		return fmt.Errorf("ask the gateway: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.place.Bearer)
	res, err := c.http.Do(req)
	if err != nil {
		return c.unreached(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the gateway's answer: %w", err)
	}
	if res.StatusCode >= 300 {
		return refused(res.StatusCode, text)
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("read the gateway's answer: %w", err)
	}
	return nil
}

// unreached says why nobody answered.
func (c *Client) unreached(err error) error {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: it ended without tidying up", ErrNotRunning)
	case errors.Is(err, syscall.ENOENT):
		return fmt.Errorf("%w: %s says that it is at %s; if hopgate still runs, its runtime folder was removed: start it again",
			ErrSocketGone, FileName, c.place.Socket)
	}
	return fmt.Errorf("ask the gateway: %w", err)
}

func refused(status int, text []byte) error {
	var e errorAnswer
	if json.Unmarshal(text, &e) != nil || e.Error == "" {
		return fmt.Errorf("ask the gateway: status %d", status)
	}
	return errors.New(e.Error)
}
