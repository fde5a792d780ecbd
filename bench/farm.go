package main

import (
	"fmt"
	"time"
)

// Budgets of many routes (design, section 8).
const (
	budgetEditP99 = 100 // ms, from the edit to the first request on it
	budgetMemory  = 130 // MiB, the whole process
	budgetFailed  = 0   // requests, on another route meanwhile
)

const mebibyte = 1 << 20

// farm is a hopgate with so many routes, and what was measured of it.
type farm struct {
	routes int
	starts []time.Duration
	edits  []time.Duration
	// startCPU is what the process used until it was ready, by start; editCPU
	// what it used while there were edits, requests on other routes included.
	startCPU []time.Duration
	editCPU  time.Duration
	memory   int64
	// asked and failed are requests on a route that nobody edits.
	asked, failed int
	// firstFailure is how the first of them failed.
	firstFailure error
}

func (f *farm) fail(err error) {
	f.failed++
	if f.firstFailure == nil {
		f.firstFailure = err
	}
}

func (f *farm) start() float64     { return inMillis(median(f.starts)) }
func (f *farm) startUsed() float64 { return inMillis(quantile(f.startCPU, 0.25)) }
func (f *farm) p50() float64       { return inMillis(quantile(f.edits, 0.5)) }
func (f *farm) p99() float64       { return inMillis(quantile(f.edits, 0.99)) }
func (f *farm) editUsed() float64  { return inMillis(f.editCPU) / float64(len(f.edits)) }
func (f *farm) resident() float64  { return float64(f.memory) / mebibyte }
func (f *farm) failures() float64  { return float64(f.failed) }

// trait is one thing that two farms are compared by.
type trait struct {
	name, what string
	of         func(*farm) float64
	unit       string
	// budget is for many routes; below zero: there is none.
	budget float64
}

const traitMemory = "memory"

func farmTraits() []trait {
	return []trait{
		{"start", "New to Ready", (*farm).start, millis, -1},
		{"start-cpu", "CPU of the process until then, without Envoy's", (*farm).startUsed, millis, -1},
		{"edit-p50", "edit of one route to the first request on it", (*farm).p50, millis, -1},
		{"edit-p99", "the same", (*farm).p99, millis, budgetEditP99},
		{"edit-cpu", "CPU of the process for an edit, with that of requests meanwhile", (*farm).editUsed, millis, -1},
		{"failed", "failed requests on another route meanwhile", (*farm).failures, count, budgetFailed},
		{traitMemory, "resident memory of the process, without Envoy's", (*farm).resident, "MiB", budgetMemory},
	}
}

// figures are against a farm with fewer routes; nil: there is none, and the
// budgets are not for it.
func (f *farm) figures(fewer *farm) []figure {
	var out []figure
	for _, t := range farmTraits() {
		if f.memory == 0 && t.name == traitMemory {
			continue // the system does not tell
		}
		fig := newFigure(fmt.Sprintf("routes/%d/%s", f.routes, t.name), t.what, t.of(f), t.unit)
		if fewer != nil && t.unit != count {
			fig = fig.against(t.of(fewer))
		}
		if t.budget >= 0 && (fewer != nil || t.unit == count) {
			fig = fig.within(t.budget)
		}
		out = append(out, fig)
	}
	return out
}

// story is what figures alone do not say of a farm.
func (f *farm) story() string {
	s := fmt.Sprintf("%d routes: %d starts, %d edits, %d requests meanwhile", f.routes, len(f.starts), len(f.edits), f.asked)
	if f.firstFailure != nil {
		s += "; the first that failed: " + f.firstFailure.Error()
	}
	return s
}
