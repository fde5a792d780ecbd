package strictjson

// Each of these reads what begins at i and returns the index behind it, or -1
// once d.err is set.

func (d *Doc) fail(r Reason, i int) int {
	d.err = &Error{Reason: r, Offset: i}
	return -1
}

// unexpected fails at i: with a byte that does not belong, or with none.
func (d *Doc) unexpected(i int) int {
	if i >= len(d.b) {
		return d.fail(ReasonTruncated, len(d.b))
	}
	return d.fail(ReasonSyntax, i)
}

func (d *Doc) document() int {
	b := d.b
	if len(b) > maxBytes {
		return d.fail(ReasonSize, maxBytes)
	}
	if len(b) >= 3 && b[0] == 0xEF && b[1] == 0xBB && b[2] == 0xBF {
		return d.fail(ReasonBOM, 0)
	}
	i := skip(b, 0)
	if i == len(b) {
		return d.fail(ReasonEmpty, i)
	}
	if i = d.value(i, 1); i < 0 {
		return -1
	}
	if i = skip(b, i); i < len(b) {
		return d.fail(ReasonTrailing, i)
	}
	return i
}

// skip passes over whitespace (RFC 8259 section 2).
func skip(b []byte, i int) int {
	for i < len(b) {
		switch b[i] {
		case ' ', '\n', '\t', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

// value reads a value; depth is what an array or object there would have.
func (d *Doc) value(i, depth int) int {
	if i >= len(d.b) {
		return d.unexpected(i)
	}
	switch d.b[i] {
	case '"':
		return d.str(i)
	case '{':
		return d.object(i, depth)
	case '[':
		return d.array(i, depth)
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return d.number(i)
	case 't':
		return d.literal(i, "true", typeTrue)
	case 'f':
		return d.literal(i, "false", typeFalse)
	case 'n':
		return d.literal(i, "null", typeNull)
	}
	return d.unexpected(i)
}

// add appends a node for what lies in [start, end).
func (d *Doc) add(start, end int, info uint32) bool {
	if len(d.nodes) >= d.limits.Nodes {
		d.fail(ReasonNodes, start)
		return false
	}
	next := uint32(len(d.nodes) + 1)
	d.nodes = append(d.nodes, node{uint32(start), uint32(end), next, info})
	return true
}

func (d *Doc) literal(i int, word string, typ uint32) int {
	for j := range len(word) {
		if i+j >= len(d.b) || d.b[i+j] != word[j] {
			return d.unexpected(i + j)
		}
	}
	if !d.add(i, i+len(word), typ) {
		return -1
	}
	return i + len(word)
}

func (d *Doc) str(i int) int {
	end, escaped, why := scanString(d.b, i)
	if why != "" {
		return d.fail(why, end)
	}
	info := uint32(typeString)
	if escaped {
		info |= flagEscape
	}
	if !d.add(i, end, info) {
		return -1
	}
	return end
}

func (d *Doc) number(i int) int {
	end, why := scanNumber(d.b, i)
	switch {
	case why == ReasonNumber:
		return d.fail(why, i)
	case why != "":
		return d.unexpected(end)
	case !d.add(i, end, typeNumber):
		return -1
	}
	return end
}

// open begins an array or object and returns its node's index.
func (d *Doc) open(i, depth int, typ uint32) int {
	if depth > d.limits.Depth {
		return d.fail(ReasonDepth, i)
	}
	if !d.add(i, 0, typ) {
		return -1
	}
	return len(d.nodes) - 1
}

// shut ends the array or object of node at, which has n parts, behind i.
func (d *Doc) shut(at, i, depth, n int) int {
	if depth > d.limits.Keep {
		d.nodes = d.nodes[:at+1]
		d.nodes[at].info |= flagOpaque
	}
	o := &d.nodes[at]
	o.end = uint32(i + 1)
	o.next = uint32(len(d.nodes))
	o.info |= uint32(n) << countShift
	return i + 1
}

func (d *Doc) array(i, depth int) int {
	at := d.open(i, depth, typeArray)
	if at < 0 {
		return -1
	}
	if i = skip(d.b, i+1); i < len(d.b) && d.b[i] == ']' {
		return d.shut(at, i, depth, 0)
	}
	for n := 1; ; n++ {
		if i = d.value(i, depth+1); i < 0 {
			return -1
		}
		if depth > d.limits.Keep {
			d.nodes = d.nodes[:at+1]
		}
		i = skip(d.b, i)
		switch {
		case i < len(d.b) && d.b[i] == ',':
			i = skip(d.b, i+1)
		case i < len(d.b) && d.b[i] == ']':
			return d.shut(at, i, depth, n)
		default:
			return d.unexpected(i)
		}
	}
}

func (d *Doc) object(i, depth int) int {
	at := d.open(i, depth, typeObject)
	if at < 0 {
		return -1
	}
	if i = skip(d.b, i+1); i < len(d.b) && d.b[i] == '}' {
		return d.shut(at, i, depth, 0)
	}
	for n := 1; ; n++ {
		if i = d.member(i, depth, at); i < 0 {
			return -1
		}
		i = skip(d.b, i)
		switch {
		case i < len(d.b) && d.b[i] == ',':
			i = skip(d.b, i+1)
		case i < len(d.b) && d.b[i] == '}':
			if k := d.duplicate(at, n); k >= 0 {
				return d.fail(ReasonDuplicate, int(d.nodes[k].start))
			}
			return d.shut(at, i, depth, n)
		default:
			return d.unexpected(i)
		}
	}
}

// member reads a name and its value in the object of node at.
func (d *Doc) member(i, depth, at int) int {
	if i >= len(d.b) || d.b[i] != '"' {
		return d.unexpected(i)
	}
	if i = d.str(i); i < 0 {
		return -1
	}
	d.nodes[at].info |= d.nodes[len(d.nodes)-1].info & flagEscape
	if i = skip(d.b, i); i >= len(d.b) || d.b[i] != ':' {
		return d.unexpected(i)
	}
	return d.value(skip(d.b, i+1), depth+1)
}
