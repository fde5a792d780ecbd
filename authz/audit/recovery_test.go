package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// crashed is a log whose process was killed: nothing was closed, and the side
// file is of its start, unless saved says otherwise.
func crashed(t testing.TB, saved bool, records ...Record) *memDisk {
	t.Helper()
	d := newMemDisk()
	l, err := open(testConfig(), d)
	must(t, err)
	for _, r := range records {
		must(t, l.Append(r))
	}
	l.w.flush()
	if saved {
		l.w.interval()
	}
	return d.clone()
}

// rebooted opens a disk and closes it, and returns the boot line it wrote.
func rebooted(t testing.TB, d *memDisk) (Boot, []Record) {
	t.Helper()
	cfg := testConfig()
	cfg.Rand = bytes.NewReader(bytes.Repeat([]byte{0xcd}, 16))
	l, err := open(cfg, d)
	must(t, err)
	must(t, l.Close())
	boot, recs := -1, decoded(t, d.text(logPath))
	for i, r := range recs {
		if r.Boot != nil {
			boot = i
		}
	}
	return *recs[boot].Boot, recs[boot+1:]
}

func lostHops(recs []Record) string {
	var out []string
	for _, r := range recs {
		if r.End == EndLost {
			out = append(out, strconv.FormatUint(uint64(r.Hop[15]), 10))
		}
	}
	return strings.Join(out, " ")
}

func TestReboot(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		records []Record
		lost    string
	}{
		{"nothing", nil, ""},
		{"all ended", []Record{begin(1), begin(2), end(2), end(1)}, ""},
		{"one open", []Record{begin(1), begin(2), end(1)}, "2"},
		{"in order", []Record{begin(3), begin(1), begin(2)}, "1 2 3"},
		{"denied after all", []Record{begin(1), deny(1), begin(2)}, "2"},
		{"denied only", []Record{deny(1)}, ""},
		{"an end of nothing", []Record{end(1)}, ""},
	}
	for _, tt := range tests {
		for _, saved := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, saved %v", tt.name, saved), func(t *testing.T) {
				t.Parallel()
				d := crashed(t, saved, tt.records...)
				boot, recs := rebooted(t, d)
				if boot.Clean || boot.Torn != 0 || boot.Note != "" || boot.Lost != len(strings.Fields(tt.lost)) {
					t.Errorf("boot: %+v", boot)
				}
				if got := lostHops(recs); got != tt.lost {
					t.Errorf("lost %q, want %q", got, tt.lost)
				}
				verified(t, d.text(logPath))
				if boot, recs = rebooted(t, d); !boot.Clean || lostHops(recs) != "" {
					t.Errorf("and again: %+v %s", boot, lostHops(recs))
				}
			})
		}
	}
}

// TestLostRepeats: the end that the log writes says whose hop it was.
func TestLostRepeats(t *testing.T) {
	t.Parallel()
	r := begin(1)
	r.Parent, r.Subject, r.Agent, r.Name = hop(9), "ali\u202ece\n\xff", "researcher", "not repeated"
	for _, saved := range []bool{false, true} {
		_, recs := rebooted(t, crashed(t, saved, r))
		got := recs[1]
		if got.Parent != r.Parent || got.Txn != r.Txn || got.Domain != r.Domain || got.Agent != r.Agent || got.Name != "" {
			t.Errorf("saved %v: %+v", saved, got)
		}
		if got.Subject != "ali\u202ece\n\\xff" {
			t.Errorf("saved %v: subject %q", saved, got.Subject)
		}
	}
}

// TestEveryCut kills the process in mid-write at each byte of the last lines:
// the log goes on, is good, and knows what was open.
func TestEveryCut(t *testing.T) {
	t.Parallel()
	d := crashed(t, false, begin(1), begin(2), end(1), begin(3))
	text := d.text(logPath)
	lines := split(text)
	kept := len(strings.Join(lines[:2], ""))
	for cut := kept; cut <= len(text); cut++ {
		c := d.clone()
		c.edit(logPath, func(b []byte) []byte { return b[:cut] })
		boot, recs := rebooted(t, c)
		whole := strings.Count(text[:cut], "\n")
		torn := cut - len(strings.Join(lines[:whole], ""))
		if int(boot.Torn) != torn || boot.Note != "" || boot.Clean {
			t.Fatalf("cut at %d: %+v, want %d torn", cut, boot, torn)
		}
		want := []string{"", "1", "1 2", "2", "2 3"}[whole-2]
		if got := lostHops(recs); got != want {
			t.Fatalf("cut at %d: lost %q, want %q", cut, got, want)
		}
		verified(t, c.text(logPath))
	}
}

// TestCutWithoutState does the same to the first lines, with no side file.
func TestCutWithoutState(t *testing.T) {
	t.Parallel()
	d := crashed(t, false, begin(1))
	text := d.text(logPath)
	for cut := range len(text) {
		c := d.clone()
		c.remove(logPath + ".state")
		c.edit(logPath, func(b []byte) []byte { return b[:cut] })
		boot, _ := rebooted(t, c)
		if boot.Note != "" || boot.Clean != (cut == 0) {
			t.Fatalf("cut at %d: %+v", cut, boot)
		}
		verified(t, c.text(logPath))
	}
}

// TestDamage opens files that are not as they were left. The log goes on, says
// that something is wrong, and Verify finds where.
func TestDamage(t *testing.T) {
	t.Parallel()
	join := func(lines ...string) string { return strings.Join(lines, "") }
	tests := []struct {
		name  string
		spoil func(d *memDisk, lines []string)
		note  string
		clean bool
		// fault is what Verify finds first; empty: nothing.
		fault Fault
		line  int64
	}{
		{
			name:  "nothing",
			spoil: func(*memDisk, []string) {}, clean: true,
		}, {
			name:  "no state",
			spoil: func(d *memDisk, _ []string) { d.remove(logPath + ".state") }, clean: true,
		}, {
			name:  "a broken state",
			spoil: func(d *memDisk, _ []string) { d.put(logPath+".state", "{") },
			note:  "the state file cannot be read",
		}, {
			name:  "a state of another version",
			spoil: func(d *memDisk, _ []string) { d.put(logPath+".state", `{"version":2}`) },
			note:  "the state file cannot be read",
		}, {
			name:  "lines taken off the end",
			spoil: func(d *memDisk, l []string) { d.put(logPath, join(l[:4]...)) },
			note:  "lines that were written are gone", fault: FaultMissing, line: 5,
		}, {
			name:  "all lines taken",
			spoil: func(d *memDisk, _ []string) { d.put(logPath, "") },
			note:  "the file before was taken away",
		}, {
			name:  "the file removed",
			spoil: func(d *memDisk, _ []string) { d.remove(logPath) },
			note:  "the file before was taken away",
		}, {
			name: "a line changed",
			spoil: func(d *memDisk, l []string) {
				d.put(logPath, join(l[0], l[1], strings.Replace(l[2], "allow", "alloW", 1), join(l[3:]...)))
			},
			clean: true, fault: FaultChanged, line: 3,
		}, {
			name:  "the last line changed",
			spoil: func(d *memDisk, l []string) { d.put(logPath, join(l[:len(l)-1]...)+"{}\n") },
			note:  "lines that were written are gone", fault: FaultChanged, line: 6,
		}, {
			name:  "a line added",
			spoil: func(d *memDisk, l []string) { d.put(logPath, join(l...)+l[2]) },
			note:  "the chain is broken after seq 6", fault: FaultAdded, line: 7,
		}, {
			name:  "a line too long",
			spoil: func(d *memDisk, l []string) { d.put(logPath, join(l...)+strings.Repeat("x", 3*maxLine)+"\n") },
			note:  "the chain is broken after seq 6", fault: FaultAdded, line: 7,
		}, {
			name:  "a file of something else",
			spoil: func(d *memDisk, _ []string) { d.put(logPath, "hello\nworld\n") },
			note:  "lines that were written are gone", fault: FaultChanged, line: 1,
		}, {
			name: "another log's file, no state",
			spoil: func(d *memDisk, _ []string) {
				d.put(logPath, "hello\n")
				d.remove(logPath + ".state")
			},
			note: "the chain is broken after seq 0", fault: FaultChanged, line: 1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, text := written(t, testConfig(), begin(1), end(1), begin(2))
			tt.spoil(d, split(text))
			cfg := testConfig()
			l, err := open(cfg, d)
			must(t, err)
			must(t, l.Append(deny(3)), l.Close())
			got := d.text(logPath)
			var boot *Boot
			for _, line := range split(got) {
				if r, err := Decode([]byte(line)); err == nil && r.Boot != nil {
					boot = r.Boot
				}
			}
			if boot.Note != tt.note || boot.Clean != tt.clean {
				t.Errorf("boot: %+v, want %q", *boot, tt.note)
			}
			rep, err := Verify(strings.NewReader(got), testPub())
			must(t, err)
			if tt.fault == "" {
				if !rep.OK() {
					t.Errorf("report: %+v", rep)
				}
				return
			}
			if rep.OK() || rep.Problems[0].Fault != tt.fault || rep.Problems[0].Line != tt.line {
				t.Errorf("problems: %+v, want %s at %d\n%s", rep.Problems, tt.fault, tt.line, got)
			}
		})
	}
}

// TestReadsOnlyTheEnd: with a state, a start reads what came after it.
func TestReadsOnlyTheEnd(t *testing.T) {
	t.Parallel()
	var many []Record
	for i := range 5000 {
		many = append(many, begin(i+1), end(i+1))
	}
	d := crashed(t, true, many...)
	before := d.count("readat")
	rebooted(t, d)
	if n := d.count("readat") - before; n > 5 {
		t.Errorf("%d reads", n)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	line := strings.Repeat("x", maxLine-1) + "\n"
	size := int64(len(line)) * 6000
	var calls []int64
	s := scanner{open: openHops{}, progress: func(done, total int64) {
		if total != size {
			t.Errorf("total %d, want %d", total, size)
		}
		calls = append(calls, done)
	}}
	end, err := s.scan(repeated(line), 0, size)
	must(t, err)
	if end != size || len(calls) != 2 || calls[0] < progressStep || calls[1] <= calls[0] {
		t.Errorf("end %d of %d, calls %v", end, size, calls)
	}
}

// repeated is a file that is one text over and over.
type repeated string

func (r repeated) ReadAt(b []byte, off int64) (int, error) {
	for i := 0; i < len(b); {
		i += copy(b[i:], r[(off+int64(i))%int64(len(r)):])
	}
	return len(b), nil
}

// TestKillAnywhere crashes a log at random looking places over and over: each
// hop ends exactly once, and the log is always good.
func TestKillAnywhere(t *testing.T) {
	t.Parallel()
	d := newMemDisk()
	n := 0
	for round := range 40 {
		cfg := testConfig()
		cfg.CheckpointRecords = 3
		l, err := open(cfg, d)
		must(t, err)
		for i := range round % 7 {
			n++
			must(t, l.Append(begin(n)))
			if i%2 == 0 {
				must(t, l.Append(end(n)))
			}
		}
		l.w.flush()
		if round%3 == 0 {
			l.w.interval()
		}
		d = d.clone()
		st, err := readState(d, logPath+".state")
		must(t, err)
		// What the side file tells of was synced before.
		d.edit(logPath, func(b []byte) []byte { return b[:max(int(st.Offset), len(b)-(round*37)%90)] })
	}
	rebooted(t, d)
	verified(t, d.text(logPath))
	open := map[HopID]bool{}
	for _, r := range decoded(t, d.text(logPath)) {
		switch r.Kind {
		case KindBegin:
			open[r.Hop] = true
		case KindEnd:
			if !open[r.Hop] {
				t.Errorf("hop %s ends twice or never began", r.Hop)
			}
			delete(open, r.Hop)
		}
	}
	if len(open) > 0 {
		t.Errorf("%d hops never end", len(open))
	}
}

// TestManyLost needs more than one write.
func TestManyLost(t *testing.T) {
	t.Parallel()
	var many []Record
	for i := range 3000 {
		many = append(many, begin(i+1))
	}
	d := crashed(t, true, many...)
	boot, recs := rebooted(t, d)
	if got := len(strings.Fields(lostHops(recs))); boot.Lost != 3000 || got != 3000 {
		t.Errorf("%d lost, %d ended", boot.Lost, got)
	}
	verified(t, d.text(logPath))
}

func FuzzOpen(f *testing.F) {
	d := crashed(f, true, begin(1), end(1), begin(2))
	f.Add(d.text(logPath), d.text(logPath+".state"))
	f.Add("", d.text(logPath+".state"))
	f.Add("x\n\n", `{"version":1,"seq":9,"prev":"","start":0,"offset":1,"open":[{}]}`)
	f.Fuzz(func(t *testing.T, text, state string) {
		d := newMemDisk()
		d.put(logPath, text)
		d.put(logPath+".state", state)
		l, err := open(testConfig(), d)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Append(begin(1)); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		whole := text[:strings.LastIndexByte(text, '\n')+1]
		if got := d.text(logPath); !strings.HasPrefix(got, whole) {
			t.Fatalf("lines of before are not there: %q", got)
		}
		if !json.Valid([]byte(d.text(logPath + ".state"))) {
			t.Fatal("state is not JSON")
		}
	})
}
