package strictjson

import "hash/maphash"

const (
	// maxBytes keeps offsets and counts within a node's fields.
	maxBytes     = 256 << 20
	defaultDepth = 64
	defaultNodes = 1 << 18
	// keepBytes is the most that Reset lets a Doc hold on to, per buffer.
	keepBytes = 64 << 10
	nodeBytes = 16
)

// Limits bound what one document may hold.
type Limits struct {
	// Depth is how deep arrays and objects may nest; the outermost counts one.
	// 0: 64.
	Depth int
	// Nodes is how many values and member names are held at one time, 16 bytes
	// each. 0: 262144.
	Nodes int
	// Keep is how deep values are kept: of an array or object nested deeper,
	// the content is validated but only the bytes are kept, and its kind is
	// Opaque. It makes the memory for a large body small. 0: all are kept.
	Keep int
}

func (l Limits) orDefaults() Limits {
	if l.Depth <= 0 {
		l.Depth = defaultDepth
	}
	if l.Nodes <= 0 {
		l.Nodes = defaultNodes
	}
	if l.Keep <= 0 {
		l.Keep = l.Depth
	}
	return l
}

// Doc is a parsed document. The zero Doc is ready for Parse, and a used one is
// too: its memory is used again, and Values of the earlier document are void.
type Doc struct {
	b      []byte
	nodes  []node
	limits Limits
	err    *Error

	// table and text are scratch for the search for duplicate keys.
	table []slot
	text  []byte
	seed  maphash.Seed
}

// node is one value or member name. A member is two: its name, then its value.
type node struct {
	// start and end are the value's bytes, quotes and brackets included. An
	// end of zero: the value was still open when the document failed.
	start, end uint32
	// next is the index behind the value and all within it.
	next uint32
	info uint32
}

// info is the type in the low bits, flags, and the number of members or
// elements above.
const (
	typeMask   = 1<<3 - 1
	flagEscape = 1 << 3 // a string with escapes, an object with such a name
	flagOpaque = 1 << 4
	countShift = 5
)

const (
	typeNull = iota
	typeFalse
	typeTrue
	typeNumber
	typeString
	typeArray
	typeObject
)

// Parse reads b, which must hold exactly one value and must not change while
// Values of d are used. The error is always an *Error.
func (d *Doc) Parse(b []byte, l Limits) error {
	d.b, d.limits, d.err, d.nodes = b, l.orDefaults(), nil, d.nodes[:0]
	if d.document() < 0 {
		return d.err
	}
	return nil
}

// Reset forgets the document, and memory beyond what a common one needs: for
// a Doc that goes back to a pool.
func (d *Doc) Reset() {
	d.b, d.err, d.nodes, d.table, d.text = nil, nil, d.nodes[:0], d.table[:0], d.text[:0]
	if cap(d.nodes)*nodeBytes > keepBytes {
		d.nodes = nil
	}
	if cap(d.table)*8 > keepBytes {
		d.table = nil
	}
	if cap(d.text) > keepBytes {
		d.text = nil
	}
}

// Root is the document's value; the zero Value when there is none or Parse
// failed.
func (d *Doc) Root() Value {
	if d.err != nil || len(d.nodes) == 0 {
		return Value{}
	}
	return Value{d: d}
}

// ReadBefore is the member of the outermost object that was read whole before
// Parse failed: for answering a request that is refused. It is false where a
// later byte could have changed the value, and where the name came twice.
func (d *Doc) ReadBefore(name string) (Value, bool) {
	if d.err == nil || len(d.nodes) == 0 || d.nodes[0].info&typeMask != typeObject {
		return Value{}, false
	}
	found := Value{}
	for k := 1; k+1 < len(d.nodes) && d.nodes[k+1].end != 0; k = int(d.nodes[k+1].next) {
		if !d.nameIs(k, name) {
			continue
		}
		if found.d != nil {
			return Value{}, false
		}
		found = Value{d: d, i: int32(k + 1)}
	}
	return found, found.d != nil && int(d.nodes[found.i].end) < len(d.b)
}
