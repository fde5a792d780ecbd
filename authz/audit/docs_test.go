package audit

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestDocs holds the page to the code: each field, kind and end is in it.
func TestDocs(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/audit.md")
	must(t, err)
	var first []string // the first cells of all tables
	for line := range strings.Lines(string(raw)) {
		if cells := strings.SplitN(line, "|", 3); len(cells) == 3 && cells[0] == "" {
			first = append(first, cells[1])
		}
	}
	names := strings.Join(first, " ")
	var words []string
	for field := range reflect.TypeFor[Record]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		words = append(words, name)
	}
	for _, k := range []Kind{KindBegin, KindDeny, KindChange, KindEnd, KindBoot, KindCheckpoint, KindRotate, KindResume} {
		words = append(words, string(k))
	}
	for _, e := range []End{
		EndDone, EndClientLeft, EndUpstreamReset, EndUpstreamFailed, EndTimeout, EndExpired, EndRefused,
		EndRevoked, EndQuarantined, EndLimit, EndShutdown, EndLost, EndHoldMissing,
	} {
		words = append(words, string(e))
	}
	for _, w := range words {
		if !strings.Contains(names, "`"+w+"`") {
			t.Errorf("%s is in no table", w)
		}
	}
	if !strings.Contains(string(raw), strings.TrimSpace(signedPrefix)) {
		t.Error("what is signed is not said")
	}
}
