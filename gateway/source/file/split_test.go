package file

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	type part struct {
		Line, Content int
		Text          string
	}
	for _, tc := range []struct {
		name, text string
		want       []part
	}{
		{"nothing", "", nil},
		{"blank", "\n  \n\t\n", nil},
		{"comments", "# a\n---\n# b\n", nil},
		{"one", "a: b", []part{{1, 1, "a: b"}}},
		{"marker first", "---\na: b\n", []part{{1, 2, "---\na: b\n"}}},
		{"two", "a: b\n---\nc: d\n", []part{{1, 1, "a: b\n"}, {2, 3, "---\nc: d\n"}}},
		{"empty between", "a: b\n---\n---\n# x\n---\nc: d\n", []part{{1, 1, "a: b\n"}, {5, 6, "---\nc: d\n"}}},
		{"content behind the marker", "--- {a: b}\n--- # c\nd: e\n", []part{{1, 1, "--- {a: b}\n"}, {2, 3, "--- # c\nd: e\n"}}},
		{"windows", "a: b\r\n---\r\nc: d\r\n", []part{{1, 1, "a: b\r\n"}, {2, 3, "---\r\nc: d\r\n"}}},
		{"tab behind the marker", "a: b\n---\tc: d\n", []part{{1, 1, "a: b\n"}, {2, 2, "---\tc: d\n"}}},
		{"end marker", "a: b\n...\nc: d\n", []part{{1, 1, "a: b\n...\n"}, {3, 3, "c: d\n"}}},
		{"end and start", "a: b\n...\n---\nc: d\n...\n", []part{{1, 1, "a: b\n...\n"}, {3, 4, "---\nc: d\n...\n"}}},
		{"directive", "%YAML 1.2\n---\na: b\n", []part{{1, 3, "%YAML 1.2\n---\na: b\n"}}},
		{"inside a scalar", "a: |\n  x\n---\nb: c\n", []part{{1, 1, "a: |\n  x\n"}, {3, 4, "---\nb: c\n"}}},
		{"indented", "a: |\n  ---\n  x\n", []part{{1, 1, "a: |\n  ---\n  x\n"}}},
		{"four dashes", "a: b\n----\nc: d\n", []part{{1, 1, "a: b\n----\nc: d\n"}}},
		{"word", "a: b\n---x\n", []part{{1, 1, "a: b\n---x\n"}}},
		{"leading comment", "# a\n\na: b\n", []part{{1, 3, "# a\n\na: b\n"}}},
		{"marker at the end", "a: b\n---", []part{{1, 1, "a: b\n"}}},
	} {
		var got []part
		for i, c := range split([]byte(tc.text)) {
			got = append(got, part{c.line, c.contentLine(), string(c.text)})
			if c.document != i+1 {
				t.Errorf("%s: document %d has number %d", tc.name, i+1, c.document)
			}
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

// TestSplitKeepsLines holds that a chunk begins at the line it says.
func TestSplitKeepsLines(t *testing.T) {
	t.Parallel()
	text := "# x\na: b\n---\n\n---\nc: d\n...\n%TAG x\n---\ne: f\n"
	lines := strings.SplitAfter(text, "\n")
	for _, c := range split([]byte(text)) {
		if want := strings.Join(lines[c.line-1:], ""); !strings.HasPrefix(want, string(c.text)) {
			t.Errorf("chunk at line %d is %q, the text there is %q", c.line, c.text, want)
		}
	}
}
