package audit

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// logLines are the lines of a log with a checkpoint after each five: 1 boot,
// 2 checkpoint, 3-7, 8 checkpoint, 9-13, 14 checkpoint, 15-16, 17 checkpoint.
func logLines(t testing.TB) []string {
	t.Helper()
	cfg := testConfig()
	cfg.CheckpointRecords = 5
	var records []Record
	for i := range 6 {
		records = append(records, begin(i+1), end(i+1))
	}
	_, text := written(t, cfg, records...)
	lines := split(text)
	if len(lines) != 17 {
		t.Fatalf("%d lines", len(lines))
	}
	return lines
}

// rechain makes the chain right again from a line on, as one who can write the
// file but not sign would.
func rechain(lines []string, from int) []string {
	var c chain
	for i, l := range lines {
		p, err := parseLine([]byte(strings.TrimSuffix(l, "\n")))
		if err == nil && i >= from {
			seq, rest, _ := strings.Cut(l, `,"time"`)
			_ = seq
			body, sig, _ := strings.Cut(rest, prevKey)
			sig = sig[65 : len(sig)-2]
			out := c.link(nil, []byte(`"time"`+body))
			l = string(c.seal(append(append(out, sig...), '}'), 0))
			lines[i] = l
			continue
		}
		c.seq, c.prev = p.seq, sumOf(l)
	}
	return lines
}

func sumOf(l string) digest {
	lines := newLines(strings.NewReader(l))
	_, _ = lines.next()
	return lines.sum
}

func TestRechain(t *testing.T) {
	t.Parallel()
	want := logLines(t)
	if diff := cmp.Diff(want, rechain(slices.Clone(want), 1)); diff != "" {
		t.Error(diff)
	}
}

func replace(lines []string, i int, from, to string) []string {
	if !strings.Contains(lines[i-1], from) {
		panic(from + " is not in " + lines[i-1])
	}
	lines[i-1] = strings.Replace(lines[i-1], from, to, 1)
	return lines
}

func TestTampering(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		tamper func(l []string) []string
		fault  Fault
		line   int64
		// signed is the last seq that is still vouched for.
		signed uint64
	}{
		{"a word changed", func(l []string) []string { return replace(l, 5, "allow", "alloW") }, FaultChanged, 5, 2},
		{"a space added", func(l []string) []string { return replace(l, 5, `{"seq"`, `{ "seq"`) }, FaultChanged, 5, 2},
		{"carriage returns", func(l []string) []string { return replace(l, 5, "\n", "\r\n") }, FaultChanged, 5, 2},
		{"seq changed", func(l []string) []string { return replace(l, 5, `"seq":5`, `"seq":6`) }, FaultChanged, 5, 2},
		{"prev changed", func(l []string) []string { return replace(l, 5, prevKey, prevKey+"0") }, FaultChanged, 5, 2},
		{"prev exchanged", func(l []string) []string {
			return replace(l, 5, l[4][len(l[4])-68:len(l[4])-4], strings.Repeat("0", 64))
		}, FaultChanged, 5, 2},
		{"the first line changed", func(l []string) []string { return replace(l, 1, "test", "text") }, FaultChanged, 1, 0},
		{"the first line's prev", func(l []string) []string { return replace(l, 1, "0000", "1000") }, FaultChanged, 1, 0},
		{"the last record changed", func(l []string) []string { return replace(l, 16, "done", "lost") }, FaultChanged, 16, 14},
		{"the last record of an open log", func(l []string) []string { return replace(l[:16], 15, "allow", "deny") }, FaultChanged, 15, 14},
		{"a checkpoint changed", func(l []string) []string { return replace(l, 8, "count", "close") }, FaultSignature, 8, 2},
		{"a signature changed", func(l []string) []string { return replace(l, 8, `"sig":"`, `"sig":"AA`) }, FaultSignature, 8, 2},
		{"a signature that is none", func(l []string) []string { return replace(l, 8, `"sig":"`, `"sig":"!`) }, FaultChanged, 8, 2},
		{"a signature taken off", func(l []string) []string {
			i := strings.Index(l[7], sigKey)
			l[7] = l[7][:i] + "}\n"
			return l
		}, FaultChanged, 8, 2},
		{"a checkpoint made a record", func(l []string) []string { return replace(l, 8, `"kind":"checkpoint"`, `"kind":"begin"`) }, FaultChanged, 8, 2},
		{"a line left out", func(l []string) []string { return slices.Delete(l, 4, 5) }, FaultMissing, 5, 2},
		{"some lines left out", func(l []string) []string { return slices.Delete(l, 8, 12) }, FaultMissing, 9, 8},
		{"a checkpoint left out", func(l []string) []string { return slices.Delete(l, 7, 8) }, FaultMissing, 8, 2},
		{"all checkpoints left out", func(l []string) []string {
			return slices.DeleteFunc(l, func(s string) bool { return strings.Contains(s, sigKey) })
		}, FaultMissing, 2, 0},
		{"the first lines of a first file", func(l []string) []string { return append(l[:1], l[4:]...) }, FaultMissing, 2, 0},
		{"two lines exchanged", func(l []string) []string {
			l[4], l[5] = l[5], l[4]
			return l
		}, FaultMoved, 5, 2},
		{"a line moved down", func(l []string) []string {
			down := l[4]
			return slices.Insert(slices.Delete(l, 4, 5), 9, down)
		}, FaultMoved, 5, 2},
		{"a line moved up", func(l []string) []string {
			up := l[9]
			return slices.Insert(slices.Delete(l, 9, 10), 4, up)
		}, FaultAdded, 5, 2},
		{"a block moved to the end", func(l []string) []string {
			block := slices.Clone(l[8:14])
			return append(slices.Delete(l, 8, 14), block...)
		}, FaultMoved, 9, 8},
		{"a line twice", func(l []string) []string { return slices.Insert(l, 5, l[4]) }, FaultAdded, 6, 2},
		{"a line of long ago again", func(l []string) []string { return slices.Insert(l, 10, l[2]) }, FaultAdded, 11, 8},
		{"all again", func(l []string) []string { return append(l, l...) }, FaultMoved, 18, 17},
		{"an empty line", func(l []string) []string { return slices.Insert(l, 5, "\n") }, FaultAdded, 6, 2},
		{"a line of text", func(l []string) []string { return slices.Insert(l, 5, "hello\n") }, FaultAdded, 6, 2},
		{"a very long line", func(l []string) []string { return slices.Insert(l, 5, strings.Repeat("x", 1<<20)+"\n") }, FaultAdded, 6, 2},
		{"a line of text at the end", func(l []string) []string { return append(l, "hello\n") }, FaultChanged, 18, 17},
		{"a forged line that fits", func(l []string) []string {
			return rechain(slices.Insert(l, 5, l[4]), 5)[:6:6]
		}, "", 0, 2},
		{"a forged line that fits in between", func(l []string) []string {
			forged := rechain(slices.Insert(slices.Clone(l), 5, l[4]), 5)[5]
			return slices.Insert(l, 5, forged)
		}, FaultAdded, 6, 2},
		{"changed and chained again", func(l []string) []string { return rechain(replace(l, 5, "allow", "alloW"), 5) }, FaultSignature, 8, 2},
		{"left out and chained again", func(l []string) []string { return rechain(slices.Delete(l, 4, 5), 4) }, FaultSignature, 7, 2},
		{"chained again without checkpoints", func(l []string) []string {
			l = slices.DeleteFunc(l, func(s string) bool { return strings.Contains(s, `"count"`) || strings.Contains(s, `"close"`) })
			return rechain(replace(l, 5, "allow", "alloW"), 2)
		}, FaultUnsigned, 8, 2},
		{"checkpoints made records and chained again", func(l []string) []string {
			for i := range l {
				if j := strings.Index(l[i], sigKey); j > 0 && i > 2 {
					l[i] = strings.Replace(l[i][:j]+"}\n", `"kind":"checkpoint"`, `"kind":"begin"`, 1)
				}
			}
			return rechain(l, 2)
		}, FaultUnsigned, 8, 2},
		{"signed by another", func(l []string) []string {
			l[7] = forge(l[7])
			return rechain(l, 8)
		}, FaultSignature, 8, 2},
		{"cut off the end", func(l []string) []string { return l[:15] }, "", 0, 14},
		{"cut in a line", func(l []string) []string {
			l[15] = l[15][:40]
			return l[:16]
		}, "", 0, 14},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := strings.Join(tt.tamper(logLines(t)), "")
			r, err := Verify(strings.NewReader(text), testPub())
			must(t, err)
			if r.SignedThrough != tt.signed {
				t.Errorf("signed through %d, want %d", r.SignedThrough, tt.signed)
			}
			if tt.fault == "" {
				if r.Found != 0 || r.Closed || r.Unsigned == 0 && r.Torn == 0 {
					t.Errorf("%+v", r)
				}
				return
			}
			if r.OK() || r.Found < len(r.Problems) || r.Problems[0].Fault != tt.fault || r.Problems[0].Line != tt.line {
				t.Errorf("found %v, want %s at line %d", r.Problems, tt.fault, tt.line)
			}
		})
	}
}

// forge signs a checkpoint with another key.
func forge(l string) string {
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, ed25519.SeedSize))
	p, _ := parseLine([]byte(strings.TrimSuffix(l, "\n")))
	body, _, _ := strings.Cut(strings.TrimPrefix(l, `{"seq":8,`), prevKey)
	c := chain{seq: p.seq - 1, prev: p.prev}
	return string(c.sign(nil, []byte(strings.Replace(body, KeyID(testPub()), KeyID(other.Public().(ed25519.PublicKey)), 1)), other))
}

// TestEveryChange flips, cuts and adds at each byte of a log: nothing but the
// end, after the last checkpoint, can change unseen.
func TestEveryChange(t *testing.T) {
	t.Parallel()
	text := []byte(strings.Join(logLines(t)[:10], ""))
	signed := bytes.LastIndex(text, []byte(`"}`+"\n"+`{"seq":9`)) + 3
	for i := range signed {
		for name, b := range map[string][]byte{
			"flip": flip(text, i),
			"cut":  append(bytes.Clone(text[:i]), text[i+1:]...),
			"add":  append(append(bytes.Clone(text[:i]), 'x'), text[i:]...),
		} {
			r, err := Verify(bytes.NewReader(b), testPub())
			must(t, err)
			if r.OK() && r.SignedThrough == 8 {
				t.Fatalf("%s at %d of %d is not seen", name, i, signed)
			}
		}
	}
}

func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}

func TestSeveralFiles(t *testing.T) {
	t.Parallel()
	l := logLines(t)
	join := func(l []string) string { return strings.Join(l, "") }
	tests := []struct {
		name  string
		files []string
		fault Fault
		file  string
		line  int64
	}{
		{"in order", []string{join(l[:6]), join(l[6:9]), join(l[9:])}, "", "", 0},
		{"an empty one between", []string{join(l[:6]), "", join(l[6:])}, "", "", 0},
		{"not from the start", []string{join(l[4:9]), join(l[9:])}, "", "", 0},
		{"one torn at its end", []string{join(l[:6]) + l[6][:20], join(l[6:])}, "", "", 0},
		{"one left out", []string{join(l[:6]), join(l[9:])}, FaultMissing, "b", 1},
		{"the wrong order", []string{join(l[9:]), join(l[:9])}, FaultMoved, "b", 1},
		{"one twice", []string{join(l[:9]), join(l[:9])}, FaultMoved, "b", 1},
		{"the end of one changed", []string{join(replace(slices.Clone(l), 9, "done", "Done")[:9]), join(l[9:])}, FaultChanged, "a", 9},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v, err := NewVerifier(testPub())
			must(t, err)
			for i, f := range tt.files {
				must(t, v.Add(string(rune('a'+i)), iotest.OneByteReader(strings.NewReader(f))))
			}
			r := v.Report()
			if tt.fault == "" {
				if !r.OK() || !r.Closed || r.Unsigned != 0 {
					t.Errorf("%+v", r)
				}
				return
			}
			if r.OK() || r.Problems[0].Fault != tt.fault || r.Problems[0].File != tt.file || r.Problems[0].Line != tt.line {
				t.Errorf("%+v", r)
			}
			if s := r.Problems[0].String(); !strings.HasPrefix(s, tt.file+":") {
				t.Error(s)
			}
		})
	}
}

func TestReportText(t *testing.T) {
	t.Parallel()
	l := logLines(t)
	var b strings.Builder
	add := func(title string, lines []string) {
		r, err := Verify(strings.NewReader(strings.Join(lines, "")), testPub())
		must(t, err)
		b.WriteString("== " + title + "\n")
		must(t, r.WriteText(&b))
	}
	add("good", l)
	add("open", l[:16])
	add("torn", append(slices.Clone(l[:15]), `{"seq`))
	add("in the middle", l[2:])
	add("empty", nil)
	add("not signed", l[2:5])
	add("changed", replace(slices.Clone(l), 5, "allow", "alloW"))
	add("not a log", slices.Repeat([]string{"x\n"}, 30))
	golden(t, "report.txt", b.String())
}

func TestVerifyErrors(t *testing.T) {
	t.Parallel()
	if _, err := Verify(strings.NewReader(""), nil); err == nil {
		t.Error("no key is taken")
	}
	boom := errors.New("boom")
	r, err := Verify(io.MultiReader(strings.NewReader(logLines(t)[0]), iotest.ErrReader(boom)), testPub())
	if !errors.Is(err, boom) || r.Lines != 1 {
		t.Errorf("%v, %+v", err, r)
	}
	_, err = Verify(io.MultiReader(strings.NewReader(strings.Repeat("x", 2*maxLine)), iotest.ErrReader(boom)), testPub())
	if !errors.Is(err, boom) {
		t.Errorf("in a long line: %v", err)
	}
	if r, err := Verify(strings.NewReader(strings.Repeat("x", 2*maxLine)), testPub()); err != nil || r.Torn != 2*maxLine {
		t.Errorf("a long end: %v, %+v", err, r)
	}
}

// TestConstantMemory reads much more than it may keep.
func TestConstantMemory(t *testing.T) {
	line := strings.Repeat("x", 1000) + "\n"
	v, err := NewVerifier(testPub())
	must(t, err)
	before := heap()
	must(t, v.Add("", io.NewSectionReader(repeated(line), 0, int64(len(line))*20000)))
	if grown := int64(heap()) - int64(before); grown > 1<<20 {
		t.Errorf("%d bytes are kept", grown)
	}
	if r := v.Report(); r.Found != 20000 || len(r.Problems) != maxProblems {
		t.Errorf("%d problems, %d found", len(r.Problems), r.Found)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestParseLine(t *testing.T) {
	t.Parallel()
	good := strings.TrimSuffix(logLines(t)[2], "\n")
	sign := strings.TrimSuffix(logLines(t)[1], "\n")
	for _, s := range []string{good, sign} {
		if _, err := parseLine([]byte(s)); err != nil {
			t.Errorf("%v: %s", err, s)
		}
	}
	for name, s := range map[string]string{
		"empty":             "",
		"not an object":     `[]`,
		"an empty object":   `{}`,
		"no seq":            `{"time":"x"}`,
		"seq of zero":       strings.Replace(good, `"seq":3`, `"seq":0`, 1),
		"a leading zero":    strings.Replace(good, `"seq":3`, `"seq":03`, 1),
		"a negative seq":    strings.Replace(good, `"seq":3`, `"seq":-3`, 1),
		"a seq too large":   strings.Replace(good, `"seq":3`, `"seq":99999999999999999999`, 1),
		"the largest seq":   strings.Replace(good, `"seq":3`, `"seq":18446744073709551615`, 1),
		"a seq as text":     strings.Replace(good, `"seq":3`, `"seq":"3"`, 1),
		"a broken seq":      strings.Replace(good, `"seq":3`, `"seq":3e1`, 1),
		"no time":           strings.Replace(good, `"time"`, `"tine"`, 1),
		"an escape in time": strings.Replace(good, `"time":"`, `"time":"\n`, 1),
		"no boot":           strings.Replace(good, `"boot_id"`, `"boot"`, 1),
		"no kind":           strings.Replace(good, `"kind"`, `"Kind"`, 1),
		"no prev":           strings.Replace(good, `"prev"`, `"prew"`, 1),
		"prev in capitals":  good[:len(good)-4] + `AA"}`,
		"prev too short":    strings.Replace(good, prevKey, prevKey[:len(prevKey)-1]+`0`, 1),
		"after prev":        good[:len(good)-1] + `,"x":1}`,
		"two objects":       good + good,
		"a space after":     good + " ",
		"a byte before":     "\ufeff" + good,
		"no sig":            strings.Replace(sign, `"sig"`, `"sog"`, 1),
		"sig not base64":    strings.Replace(sign, sigKey, sigKey+"=", 1),
		"sig of spare bits": sign[:len(sign)-3] + `x"}`,
		"sig within":        sign[:len(sign)-1] + `,"y":2}`,
		"too long":          strings.Replace(good, `"txn-1"`, `"`+strings.Repeat("x", maxLine)+`"`, 1),
	} {
		if l, err := parseLine([]byte(s)); err == nil {
			t.Errorf("%s: taken as %+v", name, l)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]string{
		"not JSON":            "x",
		"a hop too short":     `{"hop":"00"}`,
		"a hop in capitals":   `{"hop":"0000000000000000000000000000000A"}`,
		"a token too long":    `{"token":"00000000000000000"}`,
		"a negative time":     `{"duration_us":-1}`,
		"a duration too long": `{"duration_us":9223372036854775807}`,
		"a port too large":    `{"port":65536}`,
		"a bad time":          `{"time":"yesterday"}`,
		"a list as text":      `{"txn":["x"]}`,
	} {
		if r, err := Decode([]byte(s)); err == nil {
			t.Errorf("%s: taken as %+v", name, r)
		}
	}
	if r, err := Decode([]byte(`{"new_field":{"a":1},"txn":"t"}` + "\n")); err != nil || r.Txn != "t" {
		t.Errorf("a field of tomorrow: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	lines := logLines(f)
	f.Add([]byte(lines[0] + lines[1]))
	f.Add([]byte(lines[2] + "\n" + lines[3]))
	f.Add([]byte(lines[3] + "{\"seq\":1,\x00\n\n" + lines[2]))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Verify(bytes.NewReader(b), testPub())
		if err != nil {
			t.Fatal(err)
		}
		if r.OK() && (r.Found > 0 || r.Checkpoints == 0 || r.Unsigned > r.Lines) {
			t.Fatalf("%+v", r)
		}
		if err := r.WriteText(io.Discard); err != nil {
			t.Fatal(err)
		}
		build := NewBuilder(Filter{})
		if _, err := build.Read(bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		if err := WriteTrees(&text, build.Trees(), Style{Width: 60}); err != nil {
			t.Fatal(err)
		}
		for l := range strings.Lines(text.String()) {
			if !harmless(strings.TrimSuffix(l, "\n")) || width(l) > 61 {
				t.Fatalf("%q", l)
			}
		}
	})
}
