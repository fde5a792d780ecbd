package incr

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

type word string

func (w word) Compare(o word) int { return cmp.Compare(w, o) }

// bench is an engine whose inputs are texts under names. The first phase reads
// an input and says its words; the second counts and joins them.
type bench struct {
	*Engine[string, word]
	inputs map[string]string
	out    Sorted[*string]
	ran    []string
}

func newBench() *bench {
	b := &bench{inputs: map[string]string{}}
	b.Engine = New([]Phase[string, word]{
		{Name: "words", Compute: b.words},
		{Name: "join", Compute: b.join},
	})
	b.Want(1, "all")
	return b
}

func (b *bench) words(r *Run[string, word], key string) {
	b.ran = append(b.ran, "words "+key)
	r.Read(key)
	r.Read(key)
	text := b.inputs[key]
	trimmed := strings.ToLower(text)
	r.Set("lower "+key, &trimmed)
	for w := range strings.FieldsSeq(trimmed) {
		r.Mark("words", word(w))
	}
	if text != "" {
		r.Put(&b.out, key, &trimmed)
	}
}

func (b *bench) join(r *Run[string, word], _ string) {
	b.ran = append(b.ran, "join")
	var all []string
	for _, w := range r.Marks("words") {
		all = append(all, string(w))
	}
	if r.Count("words") != len(all) {
		panic("count differs from list")
	}
	if first, ok := r.Fact("lower a").(*string); ok {
		all = append(all, "a="+*first)
	}
	text := strings.Join(all, " ")
	r.Put(&b.out, "~all", &text)
	r.PutOnce(&b.out, "~all", nil)
}

func (b *bench) set(key, text string) {
	b.inputs[key] = text
	b.Touch(key)
	b.Want(0, key)
}

func (b *bench) outputs() string {
	var list []string
	for _, v := range b.out.Values() {
		list = append(list, *v)
	}
	return strings.Join(list, "|")
}

func TestEngine(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.set("a", "X y")
	b.set("b", "y z")
	steps := []struct {
		name   string
		change func()
		ran    []string
		out    string
	}{
		{"start", func() {}, []string{"join", "words a", "words b"}, "x y|y z|x y z a=x y"},
		{"nothing", func() {}, nil, "x y|y z|x y z a=x y"},
		{"input changes, result does not", func() { b.set("a", "x Y") }, []string{"words a"}, "x y|y z|x y z a=x y"},
		{"mark twice, one goes", func() { b.set("b", "z") }, []string{"words b"}, "x y|z|x y z a=x y"},
		{"mark goes", func() { b.set("a", "x") }, []string{"join", "words a"}, "x|z|x z a=x"},
		{"unit goes", func() { b.Drop(0, "b") }, []string{"join"}, "x|x a=x"},
		{"touch without readers", func() { b.Touch("b") }, nil, "x|x a=x"},
		{"drop and want again", func() { b.Drop(0, "a"); b.Want(0, "a") }, []string{"words a"}, "x|x a=x"},
		{"fact goes", func() { b.Drop(0, "a") }, []string{"join"}, ""},
		{"drop what is not there", func() { b.Drop(0, "c") }, nil, ""},
	}
	for _, s := range steps {
		b.ran = nil
		s.change()
		n := b.Run()
		slices.Sort(b.ran)
		if diff := gocmp.Diff(s.ran, b.ran); diff != "" {
			t.Errorf("%s: ran (-want +got):\n%s", s.name, diff)
		}
		if n < len(b.ran) {
			t.Errorf("%s: Run returned %d for %v", s.name, n, b.ran)
		}
		if got := b.outputs(); got != s.out {
			t.Errorf("%s: out %q, want %q", s.name, got, s.out)
		}
	}
}

// TestEngineKeepsPointers: a value that is equal to the one before stays.
func TestEngineKeepsPointers(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.set("a", "x")
	b.Run()
	before, _ := b.out.Get("a")
	b.set("a", "X")
	b.Run()
	after, _ := b.out.Get("a")
	if before != after {
		t.Error("an equal value got another pointer")
	}
}

// TestEngineForgets: what nobody reads or says any more is not kept.
func TestEngineForgets(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.set("a", "x")
	b.Run()
	b.Drop(0, "a")
	b.Drop(1, "all")
	b.Run()
	if len(b.readers) != 0 || len(b.facts) != 0 || len(b.bags) != 0 || len(b.units[0]) != 0 || len(b.units[1]) != 0 {
		t.Errorf("left: %v %v %v %v", b.readers, b.facts, b.bags, b.units)
	}
}

// TestEngineOrder: a unit that reads what its own phase says is a mistake of
// the program.
func TestEngineOrder(t *testing.T) {
	t.Parallel()
	e := New([]Phase[string, word]{{Name: "one", Compute: func(r *Run[string, word], key string) {
		r.Fact("x")
		if key == "b" {
			r.Set("x", key)
		}
	}}})
	e.Want(0, "a")
	e.Run()
	e.Want(0, "b")
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	e.Run()
}
