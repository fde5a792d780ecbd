package audit

import (
	"fmt"
	"io"
	"slices"
)

// Live writes events as they come, one line each. It is for one goroutine.
type Live struct {
	w     io.Writer
	style Style
	json  bool
	// hops are the decisions of hops whose end may come.
	hops map[HopID]*Record
}

// maxLive bounds the hops that a Live remembers, to say what it is that ends.
const maxLive = 4096

// NewLive returns one that writes for a person, or the log's own lines.
func NewLive(w io.Writer, s Style, json bool) *Live {
	return &Live{w: w, style: s, json: json, hops: map[HopID]*Record{}}
}

// Write writes one event. Checkpoints are not shown to a person.
func (l *Live) Write(e Event) error {
	if e.Missed > 0 {
		if err := l.missed(e.Missed); err != nil {
			return err
		}
	}
	if e.Line == nil {
		return nil
	}
	if l.json {
		_, err := l.w.Write(append(slices.Clip(e.Line), '\n'))
		return err
	}
	r, err := Decode(e.Line)
	if err != nil {
		return err
	}
	return l.record(&r)
}

func (l *Live) missed(n uint64) error {
	if l.json {
		_, err := fmt.Fprintf(l.w, `{"missed":%d}`+"\n", n)
		return err
	}
	_, err := fmt.Fprintf(l.w, "... %d lines not shown: too many to follow\n", n)
	return err
}

func (l *Live) record(r *Record) error {
	cells := [3]string{}
	switch r.Kind {
	case KindBegin, KindDeny:
		l.remember(r)
		cells = [3]string{r.what(), r.by(), r.why()}
		if r.Kind == KindBegin {
			cells[2] = ""
		}
	case KindChange:
		cells = [3]string{r.what(), r.by(), r.until()}
		if began, ok := l.hops[r.Hop]; ok {
			cells[0] = began.what() + ": " + r.what()
		}
	case KindEnd:
		began := l.recall(r)
		cells = [3]string{began.what(), r.ending(), phrase(r.Reason)}
	case KindCheckpoint:
		return nil
	default:
		cells[0] = r.notice()
	}
	return l.line(r, cells)
}

func (l *Live) remember(r *Record) {
	if len(l.hops) >= maxLive {
		clear(l.hops)
	}
	if r.Kind == KindBegin {
		l.hops[r.Hop] = r
	}
}

// recall is what had begun; where that is not known any more, the end itself.
func (l *Live) recall(r *Record) *Record {
	began, ok := l.hops[r.Hop]
	delete(l.hops, r.Hop)
	if !ok {
		return r
	}
	if r.Agent == "" {
		r.Agent = began.Agent
	}
	return began
}

// agentColumns is the width of the column after the verdict.
const agentColumns = 14

// columns are the widths of what was tried and of what decided.
func (l *Live) columns() (does, by int) {
	rest := l.style.Width - len("15:04:05.000") - markColumns - agentColumns - 4*len(gap)
	if l.style.Width <= 0 || rest > 110 {
		return 46, 30
	}
	return max(rest*9/20, 8), max(rest*5/20, 8)
}

func (l *Live) line(r *Record, cells [3]string) error {
	does, by := l.columns()
	agent := "-"
	if r.Agent != "" {
		agent = Display(r.Agent, agentColumns)
	}
	if l.style.Width > 0 && cells[1] != "" {
		cells[0], cells[1] = clip(cells[0], does), clip(cells[1], by)
	}
	mark, tint := r.mark()
	head := l.style.clock(r.Time) + gap
	rest := trim(gap + pad(agent, agentColumns) + gap + pad(cells[0], does) + gap + pad(cells[1], by) + gap + cells[2])
	if l.style.Width > 0 {
		rest = clip(rest, max(l.style.Width-width(head)-markColumns, 1))
	}
	_, err := io.WriteString(l.w, head+l.style.paint(tint, pad(mark, markColumns))+rest+"\n")
	return err
}

// notice says in words what a line of the log's own means.
func (r *Record) notice() string {
	switch {
	case r.Boot != nil && r.Boot.Note != "":
		return fmt.Sprintf("started %s; %s", Display(r.Boot.Version, nameColumns), phrase(r.Boot.Note))
	case r.Boot != nil && r.Boot.Lost == 0:
		return "started " + Display(r.Boot.Version, nameColumns)
	case r.Boot != nil:
		return fmt.Sprintf("started %s; %d hops of before are lost", Display(r.Boot.Version, nameColumns), r.Boot.Lost)
	case r.Resume != nil:
		return fmt.Sprintf("audit is written again; %d records were refused", r.Resume.Refused)
	case r.Kind == KindRotate:
		return "audit goes on in a new file"
	}
	return Display(string(r.Kind), nameColumns)
}
