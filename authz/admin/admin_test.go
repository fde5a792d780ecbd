package admin

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/internal/testenv"
)

func TestMain(m *testing.M) {
	// A connection that the server closes early lingers for half a second.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

func now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// rig is a door with a gateway behind it that the test makes up.
type rig struct {
	state   string
	log     bytes.Buffer
	given   []contain.Order
	fail    error
	streams []leash.Stream
	domains []feedv1.TrustDomain
}

func (r *rig) Streams() []leash.Stream            { return append([]leash.Stream(nil), r.streams...) }
func (r *rig) Orders() []contain.Order            { return r.given }
func (r *rig) TrustDomains() []feedv1.TrustDomain { return r.domains }

func (r *rig) Order(o contain.Order) (contain.Order, int, error) {
	if r.fail != nil {
		return o, 0, r.fail
	}
	o.ID = fmt.Sprint("id-", len(r.given))
	r.given = append(r.given, o)
	return o, 3, nil
}

func (r *rig) Lift(id string) (contain.Order, bool, error) {
	for i, o := range r.given {
		if o.ID == id {
			r.given = append(r.given[:i], r.given[i+1:]...)
			return o, true, r.fail
		}
	}
	return contain.Order{}, false, nil
}

func domainOf(ns, name string) feedv1.TrustDomain {
	return feedv1.TrustDomain{Key: feedv1.Key{Namespace: ns, Name: name}, MaxLifetime: 15 * time.Minute, MaxTxn: 2 * time.Hour, Leeway: 5 * time.Second}
}

func newRig(t *testing.T) (*rig, *Client) {
	t.Helper()
	r := &rig{state: t.TempDir(), domains: []feedv1.TrustDomain{domainOf("agents", "corp")}}
	s, err := New(Config{
		State: r.state, Socket: filepath.Join(testenv.ShortDir(t), "admin.sock"), Streams: r, Orders: r, Domains: r,
		Now: now, Rand: rand.Reader, Log: slog.New(slog.NewTextHandler(&r.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := NewClient(r.state); !errors.Is(err, ErrNotRunning) {
			t.Errorf("after the end: %v, want ErrNotRunning", err)
		}
	})
	c, err := NewClient(r.state)
	if err != nil {
		t.Fatal(err)
	}
	return r, c
}

func TestOrder(t *testing.T) {
	t.Parallel()
	two := []feedv1.TrustDomain{domainOf("agents", "corp"), domainOf("agents", "other"), domainOf("lab", "other")}
	for _, tt := range []struct {
		name    string
		domains []feedv1.TrustDomain
		ask     Ask
		domain  string
		life    time.Duration
		fails   string
	}{
		{"an agent of the only domain", nil, Ask{Verb: "quarantine", Kind: "agent", Value: "coder"}, "agents/corp", time.Hour, ""},
		{"for a time", nil, Ask{Verb: "quarantine", Kind: "agent", Value: "coder", For: "90m"}, "agents/corp", 90 * time.Minute, ""},
		{"revoked for as long as a transaction lives", nil, Ask{Verb: "revoke", Kind: "txn", Value: "t"}, "agents/corp", 2*time.Hour + 10*time.Second, ""},
		{"a peer needs no domain", two, Ask{Verb: "revoke", Kind: "peer", Value: "spiffe://a/b"}, "", 2*time.Hour + 10*time.Second, ""},
		{"by its short name", two, Ask{Verb: "revoke", Kind: "txn", Value: "t", Domain: "corp"}, "agents/corp", 2*time.Hour + 10*time.Second, ""},
		{"by its whole name", two, Ask{Verb: "quarantine", Kind: "txn", Value: "t", Domain: "lab/other"}, "lab/other", time.Hour, ""},
		{"by a name that two have", two, Ask{Verb: "revoke", Kind: "txn", Value: "t", Domain: "other"}, "", 0, "agents/other"},
		{"which of several", two, Ask{Verb: "revoke", Kind: "txn", Value: "t"}, "", 0, "say which of agents/corp, agents/other, lab/other"},
		{"a domain that is not there", nil, Ask{Verb: "revoke", Kind: "txn", Value: "t", Domain: "x"}, "", 0, `"x"`},
		{"no domain at all", []feedv1.TrustDomain{}, Ask{Verb: "revoke", Kind: "txn", Value: "t"}, "", 0, "none is believed"},
		{"a life that cannot be read", nil, Ask{Verb: "revoke", Kind: "txn", Value: "t", For: "1 day"}, "", 0, "1 day"},
		{"a life without end", nil, Ask{Verb: "revoke", Kind: "txn", Value: "t", For: "9000h"}, "", 0, "9000h"},
		{"a life that is over", nil, Ask{Verb: "revoke", Kind: "txn", Value: "t", For: "-1h"}, "", 0, "-1h"},
		{"a kind that is not there", nil, Ask{Verb: "revoke", Kind: "pod", Value: "t"}, "", 0, "pod"},
		{"no value", nil, Ask{Verb: "revoke", Kind: "txn"}, "", 0, "value"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, c := newRig(t)
			if tt.domains != nil {
				r.domains = tt.domains
			}
			done, err := c.Order(t.Context(), tt.ask)
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) {
					t.Fatalf("Order = %v, want an error with %q", err, tt.fails)
				}
				if len(r.given) > 0 {
					t.Error("an order stands all the same")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if done.Ended != 3 || done.Order.Domain != tt.domain || done.Order.Until.Sub(done.Order.Since) != tt.life {
				t.Errorf("domain %q, life %s, ended %d", done.Order.Domain, done.Order.Until.Sub(done.Order.Since), done.Ended)
			}
			if diff := cmp.Diff(r.given[0], done.Order); diff != "" {
				t.Errorf("given and told differ:\n%s", diff)
			}
		})
	}
}

func TestAnOrderThatCannotBeKeptIsNotDone(t *testing.T) {
	t.Parallel()
	r, c := newRig(t)
	r.fail = errors.New("write orders: no space")
	if _, err := c.Order(t.Context(), Ask{Verb: "revoke", Kind: "txn", Value: "t"}); err == nil || !strings.Contains(err.Error(), "no space") {
		t.Errorf("Order = %v", err)
	}
}

func TestLift(t *testing.T) {
	t.Parallel()
	_, c := newRig(t)
	done, err := c.Order(t.Context(), Ask{Verb: "quarantine", Kind: "agent", Value: "coder"})
	if err != nil {
		t.Fatal(err)
	}
	if o, err := c.Lift(t.Context(), done.Order.ID); err != nil || o.Value != "coder" {
		t.Errorf("Lift = %+v, %v", o, err)
	}
	if _, err := c.Lift(t.Context(), "../orders"); err == nil {
		t.Error("an order was lifted that is not there")
	}
	orders, err := c.Orders(t.Context())
	if err != nil || len(orders) != 0 {
		t.Errorf("Orders = %v, %v", orders, err)
	}
}

func TestStreams(t *testing.T) {
	t.Parallel()
	r, c := newRig(t)
	r.streams = []leash.Stream{
		{Hop: "1", Domain: "agents/corp", Agent: "coder", Actors: []string{"coder", "planner"}, Subject: "alice", Txn: "t1"},
		{Hop: "2", Domain: "agents/corp", Agent: "planner", Actors: []string{"planner"}, Subject: "bob", Txn: "t2", Rule: "web"},
		{Hop: "3", Peer: "spiffe://corp/a b&c"},
	}
	for _, tt := range []struct {
		name string
		f    Filter
		want string
	}{
		{"all", Filter{}, "1 2 3"},
		{"an agent and who acts for it", Filter{Agent: "planner"}, "1 2"},
		{"a subject", Filter{Subject: "bob"}, "2"},
		{"both", Filter{Agent: "planner", Subject: "alice"}, "1"},
		{"a peer with odd characters", Filter{Peer: "spiffe://corp/a b&c"}, "3"},
		{"a rule", Filter{Rule: "web"}, "2"},
		{"a domain", Filter{Domain: "agents/corp"}, "1 2"},
		{"nobody", Filter{Txn: "t"}, ""},
	} {
		got, err := c.Streams(t.Context(), tt.f)
		if err != nil {
			t.Fatal(err)
		}
		var hops []string
		for _, s := range got {
			hops = append(hops, s.Hop)
		}
		if have := strings.Join(hops, " "); have != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, have, tt.want)
		}
	}
}

func TestWithoutTheBearerNothing(t *testing.T) {
	t.Parallel()
	r, c := newRig(t)
	good := c.place.Bearer
	for _, b := range []string{"", "x", good[:31], good + "0", strings.ToUpper(good) + " "} {
		c.place.Bearer = b
		if _, err := c.Streams(t.Context(), Filter{}); err == nil {
			t.Errorf("bearer %q was let in", b)
		}
		if _, err := c.Order(t.Context(), Ask{Verb: "revoke", Kind: "txn", Value: "t"}); err == nil || len(r.given) > 0 {
			t.Errorf("bearer %q gave an order", b)
		}
	}
	if strings.Contains(r.log.String(), good) {
		t.Error("the bearer is in the log")
	}
}

func TestOddRequests(t *testing.T) {
	t.Parallel()
	r, c := newRig(t)
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
	}{
		{"no JSON", "POST", "/v1/orders", "x", 400},
		{"a field that is not known", "POST", "/v1/orders", `{"verb":"revoke","kinds":"txn"}`, 400},
		{"too large", "POST", "/v1/orders", `{"value":"` + strings.Repeat("x", 65<<10) + `"}`, 400},
		{"another method", "PUT", "/v1/orders", "{}", 405},
		{"another path", "GET", "/v1/secrets", "", 404},
		{"debugging", "GET", "/debug/pprof/", "", 404},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://hopgate"+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+c.place.Bearer)
		res, err := c.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != tt.status {
			t.Errorf("%s: status %d, want %d", tt.name, res.StatusCode, tt.status)
		}
	}
	if len(r.given) > 0 {
		t.Error("an order came of it")
	}
}

func TestTheDoorIsItsOwners(t *testing.T) {
	t.Parallel()
	r, c := newRig(t)
	for _, p := range []string{filepath.Join(r.state, FileName), c.place.Socket} {
		st, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", filepath.Base(p), st.Mode().Perm())
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "bearer", bearer("abc"))
	if strings.Contains(log.String(), "abc") {
		t.Errorf("a bearer shows itself: %s", log.String())
	}
}

func TestAGatewayThatWasKilled(t *testing.T) {
	t.Parallel()
	state, dir := t.TempDir(), testenv.ShortDir(t)
	gone, silent := filepath.Join(dir, "gone"), filepath.Join(dir, "silent")
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", silent)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	for socket, want := range map[string]error{gone: ErrSocketGone, silent: ErrNotRunning} {
		if err := (place{Socket: socket, Bearer: "x"}).write(state); err != nil {
			t.Fatal(err)
		}
		c, err := NewClient(state)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Streams(t.Context(), Filter{})
		if !errors.Is(err, want) {
			t.Errorf("%s: Streams = %v, want %v", filepath.Base(socket), err, want)
		}
		if errors.Is(want, ErrSocketGone) && (errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), socket)) {
			t.Errorf("Streams = %v, want where the socket was, and not that nothing runs", err)
		}
	}
}

func TestNewFails(t *testing.T) {
	t.Parallel()
	dir := testenv.ShortDir(t)
	good := Config{State: dir, Socket: filepath.Join(dir, "s"), Rand: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	for name, change := range map[string]func(*Config){
		"no randomness":   func(c *Config) { c.Rand = strings.NewReader("x") },
		"no folder":       func(c *Config) { c.Socket = filepath.Join(dir, "none", "s") },
		"no state folder": func(c *Config) { c.State = filepath.Join(dir, "none") },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: New went well", name)
		}
	}
	s, err := New(good)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
