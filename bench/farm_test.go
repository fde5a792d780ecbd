package main

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func someFarm(routes int) *farm {
	d := time.Duration(routes) * time.Millisecond
	return &farm{
		routes: routes, starts: []time.Duration{3 * d, d, 2 * d}, startCPU: []time.Duration{d},
		edits: []time.Duration{d, d / 10}, editCPU: d, memory: int64(routes) * mebibyte, asked: 7,
	}
}

// Budgets are for many routes; that no other request fails holds for any.
func TestFarmFigures(t *testing.T) {
	t.Parallel()
	few, many := someFarm(10), someFarm(1000)
	many.fail(errors.New("answered 503"))
	many.fail(errors.New("answered 502"))
	byName := map[string]figure{}
	for _, f := range append(few.figures(nil), many.figures(few)...) {
		byName[f.Name] = f
	}
	for _, tt := range []struct {
		name   string
		value  float64
		ratio  float64 // 0: none
		judged bool
		met    bool
	}{
		{"routes/10/start", 20, 0, false, false},
		{"routes/10/edit-p99", 10, 0, false, false},
		{"routes/10/failed", 0, 0, true, true},
		{"routes/10/memory", 10, 0, false, false},
		{"routes/1000/start", 2000, 100, false, false},
		{"routes/1000/edit-p50", 100, 100, false, false},
		{"routes/1000/edit-p99", 1000, 100, true, false},
		{"routes/1000/edit-cpu", 500, 100, false, false},
		{"routes/1000/failed", 2, 0, true, false},
		{"routes/1000/memory", 1000, 100, true, false},
	} {
		f, ok := byName[tt.name]
		if !ok || f.Value != tt.value || (f.Ratio != nil) != (tt.ratio != 0) || f.Ratio != nil && *f.Ratio != tt.ratio {
			t.Errorf("%s: %+v, want %v and ratio %v", tt.name, f, tt.value, tt.ratio)
		}
		if (f.Met != nil) != tt.judged || f.Met != nil && *f.Met != tt.met {
			t.Errorf("%s: met %v, want it judged %v: %v", tt.name, f.Met, tt.judged, tt.met)
		}
	}
	if s := many.story(); !strings.Contains(s, "answered 503") || strings.Contains(s, "502") || !strings.Contains(s, "7 requests") {
		t.Errorf("story %q", s)
	}
}

func TestWayFigures(t *testing.T) {
	t.Parallel()
	bare := &way{name: "bare", what: "nobody asks", took: []time.Duration{time.Millisecond, 3 * time.Millisecond}, wall: time.Second}
	asked := &way{
		name: "ok", what: "one asks", guard: &child{}, told: true, wall: time.Second,
		took: []time.Duration{2 * time.Millisecond}, envoyCPU: 30 * time.Microsecond, guardCPU: 10 * time.Microsecond,
	}
	got := map[string]figure{}
	for _, f := range append(bare.figures(bare), asked.figures(bare)...) {
		got[f.Name] = f
	}
	for name, want := range map[string]float64{
		"envoy/bare/rps": 2, "envoy/bare/p50": 1, "envoy/bare/p99": 3,
		"envoy/ok/rps": 1, "envoy/ok/p50": 2, "envoy/ok/p99": 2, "envoy/ok/envoy-cpu": 30, "envoy/ok/guard-cpu": 10,
	} {
		if got[name].Value != want {
			t.Errorf("%s: %v, want %v", name, got[name].Value, want)
		}
	}
	if len(got) != 8 || got["envoy/bare/rps"].Ratio != nil || *got["envoy/ok/p50"].Ratio != 2 || *got["envoy/ok/rps"].Ratio != 0.5 {
		t.Errorf("got %+v", got)
	}
}

// What noise hides is not judged, and what it cannot hide is.
func TestJudged(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for _, tt := range []struct {
		name         string
		value, noise float64
		want         *bool
	}{
		{"well within", 3, 1, &yes},
		{"within, without noise", 5, 0, &yes},
		{"maybe within", 4.5, 1, nil},
		{"maybe beyond", 5.5, 1, nil},
		{"well beyond", 7, 1, &no},
		{"below zero by noise alone", -200, 400, nil},
	} {
		f := newFigure(tt.name, "", tt.value, micros).judged(5, tt.noise)
		if (f.Met == nil) != (tt.want == nil) || f.Met != nil && *f.Met != *tt.want {
			t.Errorf("%s: met %v, want %v", tt.name, f.Met, tt.want)
		}
		if f.Budget == nil || strings.Contains(f.what, "not judged") != (tt.want == nil) {
			t.Errorf("%s: budget %v, %q", tt.name, f.Budget, f.what)
		}
	}
}

func TestCheckFigures(t *testing.T) {
	t.Parallel()
	of := func(us ...int) *series {
		s := &series{mallocs: []float64{float64(us[0])}, bytes: []float64{1}}
		for _, u := range us {
			d := time.Duration(u) * time.Microsecond
			s.p50, s.p99, s.cpu, s.ends = append(s.p50, d), append(s.p99, 2*d), append(s.cpu, d), append(s.ends, d/2)
		}
		return s
	}
	guard := map[int]*series{1: of(30, 31, 32, 90), 64: of(24, 26, 70, 20)}
	blind := map[int]*series{1: of(26, 26, 26, 26), 64: of(18, 18, 18, 18)}
	got := map[string]figure{}
	for _, f := range checkFigures(guard, blind, blind) {
		got[f.Name] = f
	}
	for name, want := range map[string]struct {
		value float64
		met   bool
	}{
		"check/64/cpu": {20, true}, "check/64/allocs": {24, true}, "check/added-cpu": {2, true}, "check/added-p99": {10, true},
	} {
		if f := got[name]; f.Value != want.value || f.Met == nil || *f.Met != want.met {
			t.Errorf("%s: %+v, want %+v", name, f, want)
		}
	}
	if f := got["check/1/cpu"]; f.Met != nil || *f.Ratio != 30.0/26 {
		t.Errorf("check/1/cpu: %+v", f)
	}
}
