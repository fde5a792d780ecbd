package main

import (
	"encoding/json"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	text := hopgate(t, "", "version").want(t, 0).stdout
	for _, s := range []string{"hopgate ", runtime.Version(), "1.40.0, at least 1.39.3"} {
		if !strings.Contains(text, s) {
			t.Errorf("no %q in:\n%s", s, text)
		}
	}
	var b build
	if err := json.Unmarshal([]byte(hopgate(t, "", "version", "-o", "json").want(t, 0).stdout), &b); err != nil {
		t.Fatal(err)
	}
	if b.Envoy != "1.40.0" || b.Floor != "1.39.3" || b.Go != runtime.Version() || b.Version == "" {
		t.Errorf("it is %+v", b)
	}
	if short := hopgate(t, "", "--version").want(t, 0).stdout; !strings.Contains(short, b.Version) {
		t.Errorf("--version says %s", short)
	}
}

func TestBuild(t *testing.T) {
	t.Parallel()
	info := &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123abc"}, {Key: "vcs.time", Value: "2026-03-01T12:00:00Z"}, {Key: "vcs.modified", Value: "true"},
	}}
	var b strings.Builder
	got := newBuild(info)
	got.Go, got.Platform = "go1.26", "linux/amd64"
	if err := got.text(&b); err != nil {
		t.Fatal(err)
	}
	want := `hopgate  v1.2.3
commit   0123abc of 2026-03-01T12:00:00Z, modified
go       go1.26 linux/amd64
envoy    1.40.0, at least 1.39.3
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if v := newBuild(nil).Version; v != "unknown" {
		t.Errorf("without build information it is %q", v)
	}
}
