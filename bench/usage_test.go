package main

import (
	"os"
	"runtime"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, line string
		want       time.Duration
		ok         bool
	}{
		{"plain", "7 (envoy) S 1 7 7 0 -1 4194560 100 0 0 0 25 17 0 0 20 0 9 0 100 1 2", 420 * time.Millisecond, true},
		{"a name with spaces and brackets", "7 (a) b) (c d) S 1 7 7 0 -1 4194560 100 0 0 0 1 2 0 0", 30 * time.Millisecond, true},
		{"short", "7 (envoy) S 1 7 7 0 -1 4194560 100 0 0 0 25", 0, false},
		{"no number", "7 (envoy) S 1 7 7 0 -1 4194560 100 0 0 0 x 17 0", 0, false},
		{"nothing", "", 0, false},
	} {
		if got, ok := parseStat([]byte(tt.line)); got != tt.want || ok != tt.ok {
			t.Errorf("%s: %v, %v, want %v, %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}

func TestOwn(t *testing.T) {
	t.Parallel()
	before := own()
	kept := make([][]byte, 1000)
	for i := range kept {
		kept[i] = make([]byte, 1024)
	}
	after := own()
	runtime.KeepAlive(kept)
	if after.Mallocs-before.Mallocs < 1000 || after.Bytes-before.Bytes < 1000*1024 || after.CPU < before.CPU {
		t.Errorf("%+v and then %+v", before, after)
	}
	if _, told := cpuOf(os.Getpid()); told != (runtime.GOOS == "linux") || told != (after.Resident > 0) {
		t.Errorf("the system tells: %v; resident %d", told, after.Resident)
	}
}
