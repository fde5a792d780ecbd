package audit

import (
	"strings"
	"testing"
	"testing/synctest"
)

func TestRotation(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		rotate func(d *memDisk, l *Log)
		// kinds are those of the new file.
		kinds string
		whole bool
	}{
		{
			name:   "renamed",
			rotate: func(d *memDisk, _ *Log) { d.rename(logPath, "old") },
			kinds:  "rotate begin end", whole: true,
		}, {
			name: "renamed and made again",
			rotate: func(d *memDisk, _ *Log) {
				d.rename(logPath, "old")
				d.put(logPath, "")
			},
			kinds: "rotate begin end", whole: true,
		}, {
			name: "renamed, with a signal",
			rotate: func(d *memDisk, l *Log) {
				d.rename(logPath, "old")
				l.Reopen()
				synctest.Wait()
				if !strings.Contains(d.text(logPath), `"rotate"`) {
					panic("the signal opened no file")
				}
			},
			kinds: "rotate begin end", whole: true,
		}, {
			name: "a signal for nothing",
			rotate: func(d *memDisk, l *Log) {
				l.Reopen()
				synctest.Wait()
				d.put("old", "")
			},
			kinds: "boot begin begin end", whole: true,
		}, {
			name: "copied and truncated",
			rotate: func(d *memDisk, _ *Log) {
				d.put("old", d.text(logPath))
				d.edit(logPath, func(b []byte) []byte { return b[:0] })
			},
			kinds: "rotate begin end", whole: true,
		}, {
			name:   "removed",
			rotate: func(d *memDisk, _ *Log) { d.remove(logPath) },
			kinds:  "rotate begin end",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newMemDisk()
				l := running(t, testConfig(), d)
				must(t, l.AppendDurable(t.Context(), begin(1)))
				tt.rotate(d, l)
				must(t, l.Append(begin(2)), l.AppendDurable(t.Context(), end(1)), l.Close())
				if got := kinds(t, d.text(logPath)); got != tt.kinds {
					t.Errorf("new file: %s", got)
				}
				if tt.whole {
					r := verified(t, d.text("old"), d.text(logPath))
					if r.First != 1 || !r.Closed {
						t.Errorf("%+v", r)
					}
				}
				verified(t, d.text(logPath))
				if old := d.text("old"); old != "" && tt.name == "renamed" && !strings.Contains(split(old)[3], `"why":"rotate"`) {
					t.Errorf("no last checkpoint in\n%s", old)
				}
			})
		})
	}
}

// TestRotationThenCrash: what was open in the old file is closed in the new.
func TestRotationThenCrash(t *testing.T) {
	t.Parallel()
	for _, after := range []int{0, 1} {
		d := newMemDisk()
		l, err := open(testConfig(), d)
		must(t, err)
		must(t, l.Append(begin(1)))
		l.w.flush()
		d.rename(logPath, "old")
		if after == 0 {
			must(t, l.w.ready())
		} else {
			must(t, l.Append(begin(2)))
			l.w.flush()
		}
		c := d.clone()
		boot, recs := rebooted(t, c)
		want := []string{"1", "1 2"}[after]
		if got := lostHops(recs); got != want || boot.Note != "" {
			t.Errorf("lost %q, want %q; %+v", got, want, boot)
		}
		verified(t, c.text("old"), c.text(logPath))
	}
}

// TestRotationCutShort crashes at each byte of the new file.
func TestRotationCutShort(t *testing.T) {
	t.Parallel()
	d := newMemDisk()
	l, err := open(testConfig(), d)
	must(t, err)
	must(t, l.Append(begin(1)))
	l.w.flush()
	d.rename(logPath, "old")
	must(t, l.Append(begin(2)))
	l.w.flush()
	text := d.text(logPath)
	for cut := range len(text) + 1 {
		c := d.clone()
		c.edit(logPath, func(b []byte) []byte { return b[:cut] })
		boot, recs := rebooted(t, c)
		want := "1"
		if cut == len(text) {
			want = "1 2"
		}
		if got := lostHops(recs); got != want || boot.Note != "" {
			t.Fatalf("cut at %d: lost %q, want %q; %+v", cut, got, want, boot)
		}
		verified(t, c.text("old"), c.text(logPath))
	}
}

// TestRotationWhileStopped: the next process goes on in a new file.
func TestRotationWhileStopped(t *testing.T) {
	t.Parallel()
	d, _ := written(t, testConfig(), begin(1))
	d.rename(logPath, "old")
	boot, recs := rebooted(t, d)
	if boot.Note != "the file before was taken away" || lostHops(recs) != "1" {
		t.Errorf("%+v, lost %q", boot, lostHops(recs))
	}
	verified(t, d.text("old"), d.text(logPath))
}

// TestOthersWrite: lines of another program are kept, do not spoil ours, and
// are found.
func TestOthersWrite(t *testing.T) {
	t.Parallel()
	for name, foreign := range map[string]string{"a line": "hello\n", "half a line": "hello"} {
		d := newMemDisk()
		l, err := open(testConfig(), d)
		must(t, err)
		d.edit(logPath, func(b []byte) []byte { return append(b, foreign...) })
		must(t, l.Append(deny(1)), l.Close())
		rep, err := Verify(strings.NewReader(d.text(logPath)), testPub())
		must(t, err)
		if rep.Found != 1 || rep.Problems[0].Line != 3 || rep.Problems[0].Fault != FaultAdded || rep.Lines != 5 {
			t.Errorf("%s: %+v", name, rep)
		}
	}
}

func TestFreshFileNotEmpty(t *testing.T) {
	t.Parallel()
	d := newMemDisk()
	l, err := open(testConfig(), d)
	must(t, err)
	d.rename(logPath, "old")
	d.put(logPath, "something else")
	must(t, l.Append(deny(1)), l.Close())
	lines := split(d.text(logPath))
	if lines[0] != "something else\n" || !strings.Contains(lines[1], `"rotate"`) || len(lines) != 4 {
		t.Errorf("%q", lines)
	}
}
