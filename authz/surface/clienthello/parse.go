package clienthello

import "slices"

// Extensions that are read (IANA, TLS ExtensionType Values).
const (
	extServerName        = 0
	extSupportedGroups   = 10
	extEarlyData         = 42
	extSupportedVersions = 43
	extKeyShare          = 51
	// extHidden is encrypted_client_hello (RFC 9849); the others are its drafts'
	// and that of encrypted_server_name.
	extHidden      = 0xfe0d
	extHiddenFirst = 0xfe08
	extESNI        = 0xffce
)

// maxExtensions is more than any client sends.
const maxExtensions = 256

// commonExtensions is as many as clients commonly send.
const commonExtensions = 32

// draft is a Hello while it is read.
type draft struct {
	Hello
	// groups are the extensions that list what the client can do, and of what it
	// has sent a share.
	groups groups
}

// reader takes fields off the front of its bytes. Once a field was not there
// all that follow are empty.
type reader struct {
	b  []byte
	ok bool
}

func (r *reader) take(n int) []byte {
	if !r.ok || len(r.b) < n {
		r.ok, r.b = false, nil
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

// number is of size bytes, in network order.
func (r *reader) number(size int) int {
	n := 0
	for _, c := range r.take(size) {
		n = n<<8 | int(c)
	}
	return n
}

// vector has its length before it, in size bytes.
func (r *reader) vector(size int) []byte { return r.take(r.number(size)) }

// whole reports whether all was there, and nothing is left.
func (r *reader) whole() bool { return r.ok && len(r.b) == 0 }

// parse reads the body of a ClientHello.
func parse(body []byte) (Hello, error) {
	r := &reader{b: body, ok: true}
	h := draft{Hello: Hello{Version: uint16(r.number(2))}}
	r.take(32) // random
	session, ciphers, compressions := r.vector(1), r.vector(2), r.vector(1)
	if !r.ok || len(session) > 32 || len(ciphers) < 2 || len(ciphers)%2 != 0 || len(compressions) == 0 {
		return Hello{}, ErrMalformed
	}
	if len(r.b) == 0 {
		return h.Hello, nil // from before there were extensions
	}
	extensions := r.vector(2)
	if !r.whole() || !h.extend(extensions) {
		return Hello{}, ErrMalformed
	}
	h.Open = h.Version == VersionTLS13 && h.groups.open()
	return h.Hello, nil
}

// extend reads the extensions, none of which may be there twice.
func (h *draft) extend(b []byte) bool {
	r := &reader{b: b, ok: true}
	var room [commonExtensions]int
	seen := room[:0]
	for len(r.b) > 0 {
		kind, data := r.number(2), r.vector(2)
		if !r.ok || len(seen) == maxExtensions || slices.Contains(seen, kind) || !h.extension(kind, data) {
			return false
		}
		seen = append(seen, kind)
	}
	return r.ok
}

func (h *draft) extension(kind int, data []byte) (ok bool) {
	switch {
	case kind == extServerName:
		h.ServerName, ok = serverName(data)
		return ok
	case kind == extSupportedGroups:
		h.groups.listed, ok = ids(data, false)
		return ok
	case kind == extKeyShare:
		h.groups.shared, ok = ids(data, true)
		return ok
	case kind == extSupportedVersions:
		h.Version, ok = highest(data)
		return ok
	case kind == extEarlyData:
		h.Early = true
	case kind >= extHiddenFirst && kind <= extHidden, kind == extESNI:
		h.Hidden = true
	}
	return true
}

// serverName reads RFC 6066 section 3: one name, and of the one type that
// there is.
func serverName(data []byte) (string, bool) {
	r := &reader{b: data, ok: true}
	list := &reader{b: r.vector(2), ok: true}
	kind, name := list.number(1), list.vector(2)
	if !r.whole() || !list.whole() || kind != 0 || len(name) == 0 {
		return "", false
	}
	return string(name), true
}

// highest is the newest version in a list that is known here; 0: none is.
func highest(data []byte) (uint16, bool) {
	r := &reader{b: data, ok: true}
	list := &reader{b: r.vector(1), ok: true}
	if !r.whole() || len(list.b) < 2 {
		return 0, false
	}
	best := 0
	for len(list.b) > 0 {
		if v := list.number(2); v <= VersionTLS13 && v > best {
			best = v
		}
	}
	return uint16(best), list.ok
}
