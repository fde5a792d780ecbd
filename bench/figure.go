package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"
	"time"
)

// figure is one thing that was measured. What is nil does not apply.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Baseline is the same thing elsewhere, in the same run and unit; Ratio is
	// Value over it.
	Baseline *float64 `json:"baseline"`
	Ratio    *float64 `json:"ratio"`
	// Budget is the most that Value may be; Met whether it is at most that.
	Budget *float64 `json:"budget"`
	Met    *bool    `json:"met"`

	// what says it to a person.
	what string
}

// Units of figures.
const (
	micros = "us"
	millis = "ms"
	times  = "x"
	count  = ""
)

func newFigure(name, what string, value float64, unit string) figure {
	return figure{Name: name, what: what, Value: value, Unit: unit}
}

// against sets the baseline. A ratio to nothing is none.
func (f figure) against(baseline float64) figure {
	f.Baseline = &baseline
	if baseline != 0 {
		r := f.Value / baseline
		f.Ratio = &r
	}
	return f
}

// within sets the budget.
func (f figure) within(budget float64) figure {
	met := f.Value <= budget
	f.Budget, f.Met = &budget, &met
	return f
}

// judged is within for a value that is only known to so much of noise: where
// that leaves it open whether the budget is kept, nothing is said of it.
func (f figure) judged(budget, noise float64) figure {
	if f.Value-noise <= budget && f.Value+noise > budget {
		f.Budget = &budget
		f.what += fmt.Sprintf("; not judged: the baseline alone varies by %s %s", plain(noise), f.Unit)
		return f
	}
	return f.within(budget)
}

// inMicros and inMillis are durations in the units of figures.
func inMicros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
func inMillis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// writeTable prints figures for people.
func writeTable(w io.Writer, figures []figure) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FIGURE\tVALUE\tBASELINE\tRATIO\tBUDGET\tMET\tWHAT")
	for _, f := range figures {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", f.Name, quantity(f.Value, f.Unit),
			orNone(f.Baseline, plain), orNone(f.Ratio, plain), orNone(f.Budget, plain), orNone(f.Met, yesOrNo), f.what)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print figures: %w", err)
	}
	return nil
}

// writeLines writes figures for programs, one JSON object a line.
func writeLines(w io.Writer, figures []figure) error {
	enc := json.NewEncoder(w)
	for i := range figures {
		if err := enc.Encode(&figures[i]); err != nil {
			return fmt.Errorf("write figure %s: %w", figures[i].Name, err)
		}
	}
	return nil
}

func orNone[T any](v *T, text func(T) string) string {
	if v == nil {
		return "-"
	}
	return text(*v)
}

func yesOrNo(b bool) string {
	if b {
		return "yes"
	}
	return "NO"
}

func quantity(v float64, unit string) string {
	if unit == count {
		return plain(v)
	}
	return plain(v) + " " + unit
}

// plain writes a number with at least three digits that count.
func plain(v float64) string {
	decimals := 0
	switch a := math.Abs(v); {
	case v == math.Trunc(v):
	case a < 1:
		decimals = 3
	case a < 10:
		decimals = 2
	case a < 100:
		decimals = 1
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}
