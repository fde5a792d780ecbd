package admin

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hopgate/hopgate/authz/contain"
	"github.com/hopgate/hopgate/authz/leash"
	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// Streams is the register of live streams.
type Streams interface {
	// Streams are all that live now, oldest first.
	Streams() []leash.Stream
}

// Orders are what is cut off.
type Orders interface {
	// Order has an order stand, ends what lives and is cut off by it, and says
	// how many that were.
	Order(contain.Order) (contain.Order, int, error)
	// Lift ends an order; false: there is none of that name.
	Lift(id string) (contain.Order, bool, error)
	// Orders are all that stand.
	Orders() []contain.Order
}

// Domains are the trust domains that are believed.
type Domains interface {
	TrustDomains() []feedv1.TrustDomain
}

// Config is what a Server needs. Everything is required.
type Config struct {
	// State is the state folder, Socket the path of the socket in a folder that
	// is its owner's alone.
	State, Socket string
	Streams       Streams
	Orders        Orders
	Domains       Domains
	Now           func() time.Time
	Rand          io.Reader
	Log           *slog.Logger
}

// Server is the door.
type Server struct {
	cfg    Config
	bearer bearer
	l      net.Listener
}

// New opens the socket and says in the state folder where it is.
func New(cfg Config) (*Server, error) {
	b, err := newBearer(cfg.Rand)
	if err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", cfg.Socket)
	if err != nil {
		return nil, fmt.Errorf("open the admin socket: %w", err)
	}
	err = os.Chmod(cfg.Socket, 0o600)
	if err == nil {
		err = place{Socket: cfg.Socket, Bearer: string(b)}.write(cfg.State)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the admin socket: %w", err), l.Close())
	}
	return &Server{cfg: cfg, bearer: b, l: l}, nil
}

// Close gives up the socket, for a Server that does not run.
func (s *Server) Close() error {
	return errors.Join(s.l.Close(), os.Remove(filepath.Join(s.cfg.State, FileName)))
}

// Bounds of one request.
const (
	maxAsk     = 64 << 10
	askTimeout = 10 * time.Second
)

// Run answers until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	server := &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: askTimeout, ReadTimeout: askTimeout, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelWarn),
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // it ends Serve, which tells
	defer stop()
	err := server.Serve(s.l)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, os.Remove(filepath.Join(s.cfg.State, FileName)))
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/streams", s.streams)
	mux.HandleFunc("GET /v1/orders", s.orders)
	mux.HandleFunc("POST /v1/orders", s.order)
	mux.HandleFunc("DELETE /v1/orders/{id}", s.lift)
	return s.guarded(mux)
}

// guarded lets in who knows the bearer.
func (s *Server) guarded(h http.Handler) http.Handler {
	want := []byte("Bearer " + string(s.bearer))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
			answer(w, http.StatusUnauthorized, errorAnswer{"the bearer is wrong: the gateway was started again, or this is not its state folder"})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxAsk)
		h.ServeHTTP(w, r)
	})
}

func (s *Server) streams(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f := Filter{
		Domain: q.Get("trustDomain"), Txn: q.Get("txn"), Subject: q.Get("subject"), Agent: q.Get("agent"), Peer: q.Get("peer"),
		Rule: q.Get("rule"), Token: q.Get("token"),
	}
	out := slices.DeleteFunc(s.cfg.Streams.Streams(), func(st leash.Stream) bool { return !f.Fits(&st) })
	answer(w, http.StatusOK, streamsAnswer{out})
}

func (s *Server) orders(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, ordersAnswer{s.cfg.Orders.Orders()})
}

func (s *Server) order(w http.ResponseWriter, r *http.Request) {
	var a Ask
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		answer(w, http.StatusBadRequest, errorAnswer{"read order: " + err.Error()})
		return
	}
	o, err := s.read(&a)
	if err != nil {
		answer(w, http.StatusBadRequest, errorAnswer{err.Error()})
		return
	}
	done, n, err := s.cfg.Orders.Order(o)
	if err != nil {
		answer(w, http.StatusInternalServerError, errorAnswer{err.Error()})
		return
	}
	s.cfg.Log.Info("order", "id", done.ID, "verb", string(done.Verb), "kind", string(done.Kind), "until", done.Until, "ended", n)
	answer(w, http.StatusCreated, Done{Order: done, Ended: n})
}

// read makes an order of what was asked.
func (s *Server) read(a *Ask) (contain.Order, error) {
	now := s.cfg.Now()
	o := contain.Order{Verb: a.Verb, Kind: a.Kind, Value: a.Value, Except: a.Except, Since: now, Reason: a.Reason}
	life := DefaultQuarantine
	if a.Kind == contain.KindPeer {
		if a.Verb == contain.VerbRevoke {
			life = s.longest()
		}
	} else {
		d, err := s.domain(a.Domain)
		if err != nil {
			return o, err
		}
		o.Domain = d.Key.String()
		if a.Verb == contain.VerbRevoke {
			life = lifeOf(d)
		}
	}
	life, err := a.life(life)
	if err != nil {
		return o, err
	}
	o.Until = now.Add(life)
	return o, o.CheckNew()
}

// lifeOf is how long anything can live that a trust domain has given.
func lifeOf(d *feedv1.TrustDomain) time.Duration {
	return max(d.MaxTxn, d.MaxLifetime) + 2*d.Leeway
}

func (s *Server) longest() time.Duration {
	life := DefaultQuarantine
	for _, d := range s.cfg.Domains.TrustDomains() {
		life = max(life, lifeOf(&d))
	}
	return life
}

// domain finds a trust domain by its name, with or without namespace.
func (s *Server) domain(name string) (*feedv1.TrustDomain, error) {
	all := s.cfg.Domains.TrustDomains()
	var found []*feedv1.TrustDomain
	var names []string
	for i := range all {
		names = append(names, all[i].Key.String())
		if name == "" || name == all[i].Key.String() || name == all[i].Key.Name {
			found = append(found, &all[i])
		}
	}
	slices.Sort(names)
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(all) == 0:
		return nil, errors.New("find trust domain: none is believed here")
	case name == "":
		return nil, fmt.Errorf("find trust domain: several are believed here: say which of %s", strings.Join(names, ", "))
	case len(found) > 1:
		return nil, fmt.Errorf("find trust domain %q: there are several: say which of %s", name, strings.Join(names, ", "))
	default:
		return nil, fmt.Errorf("find trust domain %q: there is %s", name, strings.Join(names, ", "))
	}
}

func (s *Server) lift(w http.ResponseWriter, r *http.Request) {
	o, ok, err := s.cfg.Orders.Lift(r.PathValue("id"))
	switch {
	case err != nil:
		answer(w, http.StatusInternalServerError, errorAnswer{err.Error()})
	case !ok:
		answer(w, http.StatusNotFound, errorAnswer{"no order of a person has this name; one of an object ends with the object"})
	default:
		s.cfg.Log.Info("order lifted", "id", o.ID)
		answer(w, http.StatusOK, liftAnswer{o})
	}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // who asked has gone
}
