package strictjson

import (
	"bytes"
	"iter"
	"slices"
	"strconv"
	"unsafe"
)

// Kind is what a Value is.
type Kind uint8

const (
	// Absent is the kind of the zero Value.
	Absent Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
	// Opaque is an array or object below Limits.Keep: valid, and known only by
	// its bytes and its length.
	Opaque
)

// Value is one value of a Doc; the zero Value means absent. It is valid until
// its Doc parses again or is reset.
type Value struct {
	d *Doc
	i int32
}

func (v Value) node() *node { return &v.d.nodes[v.i] }

// Kind says what v is.
func (v Value) Kind() Kind {
	if v.d == nil {
		return Absent
	}
	n := v.node()
	switch n.info & typeMask {
	case typeNull:
		return Null
	case typeFalse, typeTrue:
		return Bool
	case typeNumber:
		return Number
	case typeString:
		return String
	}
	switch {
	case n.info&flagOpaque != 0:
		return Opaque
	case n.info&typeMask == typeArray:
		return Array
	}
	return Object
}

// Raw is v as it came, without whitespace around it; nil when absent. It must
// not be changed.
func (v Value) Raw() []byte {
	if v.d == nil {
		return nil
	}
	n := v.node()
	return v.d.b[n.start:n.end:n.end]
}

// Offset is where v begins in the document; -1 when absent.
func (v Value) Offset() int {
	if v.d == nil {
		return -1
	}
	return int(v.node().start)
}

// Len is the number of elements or members, also of an Opaque value; 0 for
// any other.
func (v Value) Len() int {
	if v.d == nil {
		return 0
	}
	return int(v.node().info >> countShift)
}

// Text is a string's text, unescaped. Without escapes it is the document's own
// bytes: whoever keeps it longer than them must clone it. False when v is no
// string.
func (v Value) Text() (string, bool) {
	if v.Kind() != String {
		return "", false
	}
	return v.d.stringAt(int(v.i)), true
}

// Is reports whether v is the string s.
func (v Value) Is(s string) bool {
	return v.Kind() == String && v.d.nameIs(int(v.i), s)
}

// Bool is a boolean's value; ok is false when v is none.
func (v Value) Bool() (value, ok bool) {
	if v.Kind() != Bool {
		return false, false
	}
	return v.node().info&typeMask == typeTrue, true
}

// Int is a number's value if it is whole and fits, however it is written: 1e3
// and 5.0 are whole.
func (v Value) Int() (int64, bool) {
	if v.Kind() != Number {
		return 0, false
	}
	return wholeNumber(v.Raw())
}

// Float is a number's nearest value; false when v is no number. It is never
// infinite.
func (v Value) Float() (float64, bool) {
	if v.Kind() != Number {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(v.Raw()), 64)
	return f, err == nil
}

// Member is the member of that name, in exactly that spelling; false when v
// has none or is no Object.
func (v Value) Member(name string) (Value, bool) {
	if v.Kind() != Object {
		return Value{}, false
	}
	d, end := v.d, v.node().next
	for k := uint32(v.i) + 1; k < end; k = d.nodes[k+1].next {
		if d.nameIs(int(k), name) {
			return Value{d: d, i: int32(k + 1)}, true
		}
	}
	return Value{}, false
}

// Members are an Object's members in their order; of any other value, none.
// What Text says of strings holds for the names.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if v.Kind() != Object {
			return
		}
		d, end := v.d, v.node().next
		for k := uint32(v.i) + 1; k < end; k = d.nodes[k+1].next {
			if !yield(d.stringAt(int(k)), Value{d: d, i: int32(k + 1)}) {
				return
			}
		}
	}
}

// Elems are an Array's elements; of any other value, none.
func (v Value) Elems() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.Kind() != Array {
			return
		}
		d, end := v.d, v.node().next
		for k := uint32(v.i) + 1; k < end; k = d.nodes[k].next {
			if !yield(Value{d: d, i: int32(k)}) {
				return
			}
		}
	}
}

// stringAt is the text of the string or name of node k.
func (d *Doc) stringAt(k int) string {
	x := d.nodes[k]
	raw := d.b[x.start+1 : x.end-1]
	if x.info&flagEscape != 0 {
		return string(appendUnescaped(make([]byte, 0, len(raw)), raw))
	}
	return unsafe.String(unsafe.SliceData(raw), len(raw))
}

// Clone is v in a document of its own, that nothing else changes.
func (v Value) Clone() Value {
	if v.d == nil {
		return Value{}
	}
	top := *v.node()
	d := &Doc{b: bytes.Clone(v.Raw()), nodes: slices.Clone(v.d.nodes[v.i:top.next])}
	for i := range d.nodes {
		d.nodes[i].start -= top.start
		d.nodes[i].end -= top.start
		d.nodes[i].next -= uint32(v.i)
	}
	return Value{d: d}
}

// Expand is an Opaque value with all that it holds, in a document of its own
// over the same bytes; any other value is returned as it is.
func (v Value) Expand() Value {
	if v.Kind() != Opaque {
		return v
	}
	d := new(Doc)
	raw := v.Raw()
	// It was valid before; the bounds are only what those bytes can hold.
	if d.Parse(raw, Limits{Depth: len(raw), Nodes: len(raw)}) != nil {
		return Value{}
	}
	return d.Root()
}

// Any is v as Go values that share nothing with the document: map[string]any,
// []any, string, int64 (a whole number that fits), float64, bool, nil. Absent
// is nil.
func (v Value) Any() any {
	switch v.Kind() {
	case Bool:
		b, _ := v.Bool()
		return b
	case Number:
		return v.anyNumber()
	case String:
		raw := v.Raw()
		return string(appendUnescaped(make([]byte, 0, len(raw)), raw[1:len(raw)-1]))
	case Array:
		return v.anyArray()
	case Object:
		return v.anyObject()
	case Opaque:
		return v.Expand().Any()
	}
	return nil
}

func (v Value) anyNumber() any {
	if i, ok := v.Int(); ok {
		return i
	}
	f, _ := v.Float()
	return f
}

func (v Value) anyArray() []any {
	out := make([]any, 0, v.Len())
	for e := range v.Elems() {
		out = append(out, e.Any())
	}
	return out
}

func (v Value) anyObject() map[string]any {
	out := make(map[string]any, v.Len())
	for name, e := range v.Members() {
		out[string([]byte(name))] = e.Any()
	}
	return out
}
