package clienthello

// groups are those, of the groups for key exchange, that servers commonly take.
type groups uint8

// Groups (IANA, TLS Supported Groups).
const (
	secp256r1 groups = 1 << iota
	x25519
	x25519MLKEM768
)

func groupOf(id int) groups {
	switch id {
	case 23:
		return secp256r1
	case 29:
		return x25519
	case 0x11ec:
		return x25519MLKEM768
	default:
		return 0
	}
}

// groupsOf reads a list of groups (RFC 8446 section 4.2.7), or of shares, each
// of which is a group and a key (section 4.2.8).
func groupsOf(data []byte, shares bool) (out groups, ok bool) {
	r := &reader{b: data, ok: true}
	list := &reader{b: r.vector(2), ok: true}
	for len(list.b) > 0 {
		out |= groupOf(list.number(2))
		if shares {
			list.vector(2)
		}
	}
	return out, r.whole() && list.ok
}

// open reports whether it is likely that a server asks for other shares: there
// is none of a group that every server has (RFC 8446 section 9.1), or one that
// servers like better is listed without a share.
func open(listed, shared groups) bool {
	return shared&(secp256r1|x25519) == 0 || listed&^shared&(x25519|x25519MLKEM768) != 0
}
