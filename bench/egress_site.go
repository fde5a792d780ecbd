package main

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// What a site has.
const (
	pathPage = "/page"
	// pathDown never ends, and pathUp takes what follows it.
	pathDown = "/down"
	pathUp   = "/up"
)

// blockSize is of what is written at once.
const blockSize = 128 << 10

// site is what is at the other end: the same by TLS and without, by HTTP/1.1.
type site struct {
	plain, secure *upstream
	open          sync.WaitGroup
	// taken are bytes that came by pathUp.
	taken atomic.Int64
}

// newSite serves on two listeners.
func newSite(plain, secure net.Listener, cert tls.Certificate) *site {
	s := &site{}
	s.plain = serveAt(plain, s)
	s.secure = serveAt(tls.NewListener(secure, &tls.Config{
		Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
	}), s)
	return s
}

// close waits for what flows; who takes it is to have ended before.
func (s *site) close() error {
	first, second := s.plain.close(), s.secure.close()
	s.open.Wait()
	if first != nil {
		return first
	}
	return second
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case pathDown:
		s.take(w, pour)
	case pathUp:
		s.take(w, s.drink)
	default:
		_, _ = io.WriteString(w, smallBody) // whoever has gone needs no answer
	}
}

// take takes the connection for itself, until it has ended.
func (s *site) take(w http.ResponseWriter, then func(net.Conn)) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	s.open.Go(func() {
		defer c.Close()
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"); err == nil {
			then(c)
		}
	})
}

// pour writes until nobody takes it.
func pour(c net.Conn) {
	block := make([]byte, blockSize)
	for {
		if _, err := c.Write(block); err != nil {
			return
		}
	}
}

// drink reads until nothing comes.
func (s *site) drink(c net.Conn) {
	block := make([]byte, blockSize)
	for {
		n, err := c.Read(block)
		s.taken.Add(int64(n))
		if err != nil {
			return
		}
	}
}
