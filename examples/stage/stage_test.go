package stage_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/examples/stage"
)

// Every port that is documented is replaced, wherever it stands, and no other.
func TestPorts(t *testing.T) {
	t.Parallel()
	p, err := stage.Free(":3128", "127.0.0.1:9101")
	if err != nil {
		t.Fatal(err)
	}
	if len(p) != 2 || p["3128"] == "3128" || p["3128"] == p["9101"] {
		t.Fatalf("ports %v", p)
	}
	if got, want := p.At("127.0.0.1:9101"), "127.0.0.1:"+p["9101"]; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := p.At("127.0.0.1:80"); got != "127.0.0.1:80" {
		t.Errorf("a port that is not documented became %s", got)
	}
	if got := stage.Ports(nil).At("127.0.0.1:9101"); got != "127.0.0.1:9101" {
		t.Errorf("without free ports: %s", got)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "a.yaml")
	if err := os.WriteFile(file, []byte("{port: 3128, at: x:9101, year: 2026, long: 31280}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.PutAll(dir); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := "{port: " + p["3128"] + ", at: x:" + p["9101"] + ", year: 2026, long: 31280}"; string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
	if _, err := stage.Free("3128"); err == nil {
		t.Error("an address without a port has one")
	}
	if err := stage.Edit(filepath.Join(dir, "none"), strings.ToUpper); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("edit a file that is not there: %v", err)
	}
}

func TestFreeAddress(t *testing.T) {
	t.Parallel()
	at, err := stage.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	if host, _, err := net.SplitHostPort(at); err != nil || host != "127.0.0.1" {
		t.Errorf("%s, %v", at, err)
	}
}

func TestPlay(t *testing.T) {
	t.Parallel()
	var told bytes.Buffer
	if code := stage.Play(func(context.Context) error { return nil }, time.Minute, &told); code != 0 || told.Len() > 0 {
		t.Errorf("%d, %q", code, told.String())
	}
	late := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	if code := stage.Play(late, time.Millisecond, &told); code != 1 || told.String() != "demo: context deadline exceeded\n" {
		t.Errorf("%d, %q", code, told.String())
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	var o stage.Options
	f := flag.NewFlagSet("demo", flag.ContinueOnError)
	o.Flags(f, "examples/x")
	if err := f.Parse([]string{"-free-ports", "-hopgate", "h"}); err != nil {
		t.Fatal(err)
	}
	if o != (stage.Options{Hopgate: "h", Config: "examples/x", FreePorts: true}) {
		t.Errorf("%+v", o)
	}
}
