package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/gateway/infra/process"
)

// roleHopgate is the whole product, with its Envoy.
const roleHopgate = "hopgate"

// Folders in a product's folder.
const (
	objectsDir = "objects"
	stateDir   = "state"
)

// workers are those of every Envoy here.
const workers = 2

// grace is how long what has begun may take to end. Nothing here takes long.
const grace = time.Second

// product is a hopgate in this process.
type product struct {
	laptop *laptop.Laptop
	cancel context.CancelFunc
	ended  chan error
	ready  time.Duration
}

// getenv is the environment of a hopgate.
func (s spec) getenv(k string) string {
	if k == "SSL_CERT_FILE" && s.Roots != "" {
		return s.Roots
	}
	return os.Getenv(k)
}

// newProduct starts one and waits until it is ready.
func newProduct(s spec) (*product, error) {
	begun := time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	l, err := laptop.New(ctx, laptop.Config{
		Paths: []string{filepath.Join(s.Dir, objectsDir)}, State: filepath.Join(s.Dir, stateDir), Envoy: s.Envoy,
		Concurrency: workers, Grace: grace, Version: "bench", Getenv: s.getenv,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		cancel()
		return nil, err
	}
	p := &product{laptop: l, cancel: cancel, ended: make(chan error, 1)}
	go func() { p.ended <- l.Run(ctx) }()
	if err := p.wait(begun); err != nil {
		cancel()
		return nil, err
	}
	return p, nil
}

// readyWithin is how long a hopgate may take to be ready.
const readyWithin = time.Minute

func (p *product) wait(begun time.Time) error {
	for t := time.NewTicker(time.Millisecond); ; <-t.C {
		if p.ready = time.Since(begun); p.laptop.Ready() {
			t.Stop()
			return nil
		}
		select {
		case err := <-p.ended:
			return fmt.Errorf("hopgate ended before it was ready: %w", err)
		default:
		}
		if p.ready > readyWithin {
			p.cancel()
			return errors.Join(errors.New("hopgate is not ready"), <-p.ended)
		}
	}
}

func (p *product) admit(int) {}

func (p *product) report() report {
	r := own()
	r.Live, r.Names, r.Envoy, r.Ready = p.laptop.Guard().Live(), p.laptop.Inspected(), p.laptop.Envoy().PID(), p.ready
	r.Admin = process.AdminSocket(filepath.Dir(p.laptop.Socket()))
	return r
}

func (p *product) stop() error {
	p.cancel()
	return <-p.ended
}
