package clienthello

import "slices"

// Groups for key exchange that servers commonly take (IANA, TLS Supported
// Groups).
const (
	secp256r1      = 23
	x25519         = 29
	x25519MLKEM768 = 0x11ec
)

// maxGroups is more than any client lists.
const maxGroups = 64

// list is of groups, without those that mean nothing.
type list struct {
	id [maxGroups]uint16
	n  int
}

func (l *list) all() []uint16 { return l.id[:l.n] }

func (l *list) has(id uint16) bool { return slices.Contains(l.all(), id) }

// groups are those that a client lists, and those of which it has sent a share.
type groups struct{ listed, shared list }

// ids reads a list of groups (RFC 8446 section 4.2.7), or of shares, each of
// which is a group and a key (section 4.2.8).
func ids(data []byte, shares bool) (out list, ok bool) {
	r := &reader{b: data, ok: true}
	all := &reader{b: r.vector(2), ok: true}
	for len(all.b) > 0 {
		id := uint16(all.number(2))
		if shares {
			all.vector(2)
		}
		if id&0x0f0f == 0x0a0a && id>>8 == id&0xff {
			continue // GREASE (RFC 8701 section 2)
		}
		if out.n == maxGroups {
			return list{}, false
		}
		out.id[out.n], out.n = id, out.n+1
	}
	return out, r.whole() && all.ok
}

// open reports whether it is likely that a server asks for another share. It can
// only where one is listed without; and is likely to where there is none of a
// group that every server has (RFC 8446 section 9.1), or of one that servers like
// better.
func (g *groups) open() bool {
	for _, id := range []uint16{x25519, x25519MLKEM768} {
		if g.listed.has(id) && !g.shared.has(id) {
			return true
		}
	}
	if g.shared.has(secp256r1) || g.shared.has(x25519) {
		return false
	}
	for _, id := range g.listed.all() {
		if !g.shared.has(id) {
			return true
		}
	}
	return false
}
