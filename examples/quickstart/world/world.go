package world

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Addresses are where the world listens.
type Addresses struct{ Tools, Models, Web, DNS string }

// Documented are those that the example's files say.
func Documented() Addresses {
	return Addresses{Tools: "127.0.0.1:9101", Models: "127.0.0.1:9102", Web: "127.0.0.1:9443", DNS: "127.0.0.1:9053"}
}

// World is all servers.
type World struct {
	// WebRoots is the PEM that clients of the web site trust.
	WebRoots []byte

	servers []*http.Server
	dns     *dns.Server
	wg      sync.WaitGroup
}

// Start listens everywhere.
func Start(now time.Time, at Addresses) (*World, error) {
	w := &World{}
	cert, roots, err := Certificate("web.example", now)
	if err != nil {
		return nil, err
	}
	w.WebRoots = roots
	for _, s := range []struct {
		at  string
		h   http.Handler
		tls *tls.Config
	}{
		{at.Tools, Tools(), nil},
		{at.Models, Models(), nil},
		{at.Web, Web(), &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}},
	} {
		if err := w.serve(s.at, s.h, s.tls); err != nil {
			return nil, errors.Join(err, w.Stop())
		}
	}
	return w, w.serveDNS(at.DNS)
}

func (w *World) serve(at string, h http.Handler, conf *tls.Config) error {
	l, err := net.Listen("tcp", at)
	if err != nil {
		return fmt.Errorf("start the example's world: %w", err)
	}
	if conf != nil {
		l = tls.NewListener(l, conf)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	w.servers = append(w.servers, s)
	w.wg.Go(func() { _ = s.Serve(l) }) // it ends with Stop
	return nil
}

func (w *World) serveDNS(at string) error {
	pc, err := net.ListenPacket("udp", at)
	if err != nil {
		return errors.Join(fmt.Errorf("start the example's world: %w", err), w.Stop())
	}
	ready := make(chan struct{})
	w.dns = &dns.Server{PacketConn: pc, NotifyStartedFunc: func() { close(ready) }, Handler: Zone(map[string]netip.Addr{
		"intranet.example.": netip.MustParseAddr("10.0.0.5"),
	})}
	w.wg.Go(func() { _ = w.dns.ActivateAndServe() }) // it ends with Stop
	<-ready
	return nil
}

// Stop ends everything.
func (w *World) Stop() error {
	var errs []error
	for _, s := range w.servers {
		errs = append(errs, s.Close())
	}
	if w.dns != nil {
		errs = append(errs, w.dns.ShutdownContext(context.Background()))
	}
	w.wg.Wait()
	return errors.Join(errs...)
}
