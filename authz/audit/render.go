package audit

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// gap is what stands between columns.
const gap = "  "

// minColumns is how narrow a column gets before it is as narrow as it gets.
const minColumns = 16

// row is one line of a tree. Agents and headings have a label only.
type row struct {
	prefix string
	mark   string
	tint   tint
	cells  [3]string
	label  bool
}

// WriteTrees draws trees for a person: one line a hop, none longer than the
// style's width.
func WriteTrees(w io.Writer, trees []*Tree, s Style) error {
	var b strings.Builder
	for i, t := range trees {
		if i > 0 {
			b.WriteByte('\n')
		}
		t.draw(&b, s)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteTreesJSON writes trees as JSON that is safe to show.
func WriteTreesJSON(w io.Writer, trees []*Tree) error {
	if trees == nil {
		trees = []*Tree{}
	}
	raw, err := json.Marshal(trees)
	if err != nil {
		return fmt.Errorf("encode trees: %w", err)
	}
	out, _ := appendJSON(nil, raw) // what was marshalled is JSON
	_, err = w.Write(append(out, '\n'))
	return err
}

func (t *Tree) draw(b *strings.Builder, s Style) {
	t.heading(b, s)
	rows := s.rows(nil, t.Nodes, "")
	widths := s.columns(rows)
	for _, r := range rows {
		r.draw(b, s, widths)
	}
}

// heading says which transaction it is, and how it went: in one line if that
// fits.
func (t *Tree) heading(b *strings.Builder, s Style) {
	name, sum := t.name(), t.sum(s)
	between := gap
	if s.Width > 0 && width(name)+len(gap)+width(sum) > s.Width {
		name, sum, between = s.clip(name), s.clip(gap+sum), "\n"
	}
	b.WriteString(s.paint(tintBold, name) + between + sum + "\n")
}

func (t *Tree) name() string {
	if t.Txn == "" && t.Domain == "" {
		return "no transaction"
	}
	return join("transaction", Display(t.Txn, nameColumns), "domain", Display(t.Domain, nameColumns),
		"subject", Display(t.Subject, nameColumns))
}

func (t *Tree) sum(s Style) string {
	counts := fmt.Sprintf("%d allowed, %d denied", t.Allowed, t.Denied)
	if t.Asked > 0 {
		counts += fmt.Sprintf(", %d waiting for approval", t.Asked)
	}
	return strings.Join([]string{s.date(t.From), shortDuration(t.To.Sub(t.From)), counts}, gap)
}

// rows lays nodes out in lines. before is what stands left of them.
func (s Style) rows(rows []row, nodes []*Node, before string) []row {
	branch, last, through := "├─ ", "└─ ", "│  "
	if s.ASCII {
		branch, last, through = "|- ", "`- ", "|  "
	}
	for i, n := range nodes {
		here, below := branch, through
		if i == len(nodes)-1 {
			here, below = last, "   "
		}
		rows = append(rows, n.row(before+here))
		rows = s.rows(rows, n.Nodes, before+below)
	}
	return rows
}

func (n *Node) row(prefix string) row {
	if n.Hop == nil {
		return row{prefix: prefix, label: true, cells: [3]string{"agent " + Display(n.Agent, nameColumns)}}
	}
	mark, tint := n.Hop.mark()
	return row{
		prefix: prefix, mark: pad(mark, markColumns) + " ", tint: tint,
		cells: [3]string{n.Hop.what(), n.Hop.by(), n.result()},
	}
}

// result says why there was nothing, or what came of it.
func (n *Node) result() string {
	switch {
	case n.Hop.Kind == KindDeny:
		return n.Hop.why()
	case n.Hop.Kind == KindChange:
		return n.Hop.until()
	case n.End == nil:
		return "open"
	}
	return n.End.ending()
}

// columns are the widths at which all rows fit. The widest column gives first;
// what was tried counts for less than what it is, since it has the tree before
// it. The first width has what stands left of the column in it.
func (s Style) columns(rows []row) (widths [3]int) {
	for _, r := range rows {
		for i, c := range r.cells {
			if n := width(c) + r.indent(i); !r.label {
				widths[i] = max(widths[i], n)
			}
		}
	}
	for over := s.excess(widths); over > 0; over-- {
		i := widest(widths)
		if widths[i] <= minColumns {
			break
		}
		widths[i]--
	}
	return widths
}

func widest(widths [3]int) int {
	switch first, rest := 2*widths[0], 3*max(widths[1], widths[2]); {
	case first >= rest:
		return 0
	case widths[1] > widths[2]:
		return 1
	}
	return 2
}

func (s Style) excess(widths [3]int) int {
	if s.Width <= 0 {
		return 0
	}
	return widths[0] + widths[1] + widths[2] + 2*len(gap) - s.Width
}

// indent is what the first column has before its text.
func (r *row) indent(column int) int {
	if column > 0 {
		return 0
	}
	return width(r.prefix) + width(r.mark)
}

func (r *row) draw(b *strings.Builder, s Style, widths [3]int) {
	if r.label {
		b.WriteString(s.clip(r.prefix+r.cells[0]) + "\n")
		return
	}
	b.WriteString(r.prefix)
	b.WriteString(s.paint(r.tint, r.mark))
	var line strings.Builder
	for i, c := range r.cells {
		n := max(widths[i]-r.indent(i), 1)
		line.WriteString(pad(clip(c, n), n))
		line.WriteString(gap)
	}
	text := trim(line.String())
	if s.Width > 0 {
		text = clip(text, max(s.Width-r.indent(0), 1))
	}
	b.WriteString(text + "\n")
}
