package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"
)

// TestConnectionsAreTheCallers: requests by the proxy use a connection again, and
// none that another caller's request has been on.
func TestConnectionsAreTheCallers(t *testing.T) {
	t.Parallel()
	o := newOutside(t)
	const callers, requests = 8, 12
	var wg sync.WaitGroup
	for i := range callers {
		u, err := url.Parse(o.ProxyURL(o.Token(txn(fmt.Sprint("txn-", i)))))
		if err != nil {
			t.Fatal(err)
		}
		tr := &http.Transport{Proxy: http.ProxyURL(u)}
		t.Cleanup(tr.CloseIdleConnections)
		wg.Go(func() {
			c := &http.Client{Transport: tr, Timeout: patience}
			for range requests {
				req, err := http.NewRequestWithContext(t.Context(), "GET", fmt.Sprint("http://site.example:", o.site.port(), "/open/", i), nil)
				if err != nil {
					t.Error(err)
					return
				}
				if a := send(t, c, req); a.status != 200 {
					t.Errorf("%d %s", a.status, a.body)
				}
			}
		})
	}
	wg.Wait()
	by, n := map[string]string{}, 0
	for _, r := range o.site.requests() {
		n++
		if first, ok := by[r.RemoteAddr]; ok && first != r.URL.Path {
			t.Errorf("a connection has %s after %s", r.URL.Path, first)
		}
		by[r.RemoteAddr] = r.URL.Path
	}
	if n != callers*requests || len(by) > n/2 {
		t.Errorf("%d requests on %d connections", n, len(by))
	}
}
