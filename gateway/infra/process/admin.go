package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Admin speaks to Envoy's admin interface on its unix socket.
type Admin struct{ client *http.Client }

// NewAdmin reaches the admin interface at a socket.
func NewAdmin(socket string) *Admin {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	return &Admin{client: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// maxAdminAnswer bounds an answer that is read.
const maxAdminAnswer = 64 << 20

// Get reads a page.
func (a *Admin) Get(ctx context.Context, path string) (string, error) {
	return a.do(ctx, http.MethodGet, path)
}

// Post orders something.
func (a *Admin) Post(ctx context.Context, path string) error {
	_, err := a.do(ctx, http.MethodPost, path)
	return err
}

func (a *Admin) do(ctx context.Context, method, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://envoy"+path, nil)
	if err != nil {
		return "", fmt.Errorf("ask envoy for %s: %w", path, err)
	}
	res, err := a.client.Do(req)
	if err != nil {
		return "", fmt.Errorf("ask envoy for %s: %w", path, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAdminAnswer))
	if err != nil {
		return "", fmt.Errorf("read envoy's %s: %w", path, err)
	}
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("ask envoy for %s: status %d", path, res.StatusCode)
	}
	return string(body), nil
}

// Ready reports whether Envoy says it serves.
func (a *Admin) Ready(ctx context.Context) bool {
	s, err := a.Get(ctx, "/ready")
	return err == nil && strings.HasPrefix(s, "LIVE")
}

// ErrStillActive is returned by Drain when requests were left at its end.
var ErrStillActive = errors.New("requests were still active")

// Drain closes the listeners and waits until no request is active, or ctx
// ends. Requests that have begun go on; connections close with their answers.
func (a *Admin) Drain(ctx context.Context) error {
	// The first has connections closed and keeps listening, the second stops
	// that. Either alone leaves a way in.
	for _, order := range []string{"/drain_listeners?graceful&skip_exit", "/drain_listeners"} {
		if err := a.Post(ctx, order); err != nil {
			return err
		}
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		n, err := a.ActiveRequests(ctx)
		if err == nil && n == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("drain envoy: %w: %d", ErrStillActive, n)
		case <-tick.C:
		}
	}
}

// ActiveRequests is the number of requests and tunnels that clients have open.
func (a *Admin) ActiveRequests(ctx context.Context) (int, error) {
	s, err := a.Get(ctx, `/stats?filter=^http\..*\.downstream_rq_active$`)
	if err != nil {
		return 0, err
	}
	total := 0
	for line := range strings.Lines(s) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok || strings.HasPrefix(name, "http.admin.") || strings.HasPrefix(name, "http.async-client.") {
			continue
		}
		n, err := strconv.Atoi(value)
		if err != nil {
			return 0, fmt.Errorf("read envoy's statistics: %w", err)
		}
		total += n
	}
	return total, nil
}
