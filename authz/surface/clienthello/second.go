package clienthello

import "errors"

// Watch looks for a second ClientHello (RFC 8446 section 4.1.2) in what a client
// sends behind its first. It is for one goroutine at a time.
type Watch struct {
	first Hello
	// left is how much is still to come of a record that passes.
	left int
	// passed are the records that said nothing.
	passed int
	// over: there can be no second.
	over bool
}

const (
	// maxPassed bounds the records that may come first; servers bound them too.
	maxPassed = 32
	// maxProtected is the longest body of a record that is encrypted (RFC 8446
	// section 5.2; TLS 1.2 has 2^14 + 2048).
	maxProtected = 1<<14 + 2048
	// maxClaimed is more than any server takes for the length of a ClientHello.
	maxClaimed = 1 << 18
)

// NewWatch looks for what may follow this ClientHello. Before TLS 1.3 there is no
// second.
func NewWatch(first Hello) *Watch { return &Watch{first: first, over: first.Version != VersionTLS13} }

// Read reads what comes next. n bytes of it may be sent on before there is more;
// with ErrShort the rest is to be read again when there is. found: b ends with a
// second ClientHello, behind which its client waits. Where that is not for
// what the first was it is there all the same, beside ErrChanged.
func (w *Watch) Read(b []byte) (n int, found bool, h Hello, err error) {
	for n < len(b) && !w.over {
		if w.left > 0 {
			some := min(w.left, len(b)-n)
			n, w.left = n+some, w.left-some
			continue
		}
		size, hello, err := w.record(b[n:])
		switch {
		case err != nil:
			return n, false, Hello{}, err
		case hello:
			h, err := w.second(b[n:])
			return n, err == nil || errors.Is(err, ErrChanged), h, err
		}
		w.left = size
	}
	return len(b), false, Hello{}, nil
}

// record looks at the head of a record: of how many bytes it is that passes, or
// whether a ClientHello begins with it.
func (w *Watch) record(b []byte) (size int, hello bool, err error) {
	if len(b) < recordHeader {
		return 0, false, ErrShort
	}
	body := int(b[3])<<8 | int(b[4])
	if b[1] != 3 || body == 0 || body > maxProtected {
		return 0, false, ErrNotTLS
	}
	switch b[0] {
	case typeChangeCipherSpec, typeAlert:
		if w.passed++; w.passed > maxPassed {
			return 0, false, ErrLong
		}
	case typeApplicationData: // encrypted, or early data, which a server skips that asks for a second ClientHello
	case typeHandshake:
		if hello, err = begins(b[recordHeader:], body); err != nil || hello {
			return 0, hello, err
		}
		w.over = true
	default:
		return 0, false, ErrNotTLS
	}
	return recordHeader + body, false, nil
}

// begins reports whether a ClientHello begins in the body of a record, or what
// some server takes for one. An encrypted message of TLS 1.2 may have the type of
// a ClientHello by chance, and then has no length that one could have.
func begins(b []byte, size int) (bool, error) {
	switch {
	case len(b) == 0:
		return false, ErrShort
	case b[0] != typeClientHello:
		return false, nil
	case size < messageHead:
		return true, nil
	case len(b) < messageHead:
		return false, ErrShort
	}
	return int(b[1])<<16|int(b[2])<<8|int(b[3]) < maxClaimed, nil
}

// second reads a second ClientHello, which has no early data behind it.
func (w *Watch) second(b []byte) (Hello, error) {
	h, err := Read(b)
	switch {
	case err != nil:
		return Hello{}, err
	case h.Early:
		return Hello{}, ErrMalformed
	case h.ServerName != w.first.ServerName || h.Hidden != w.first.Hidden || h.Version != w.first.Version:
		return h, ErrChanged
	}
	return h, nil
}
