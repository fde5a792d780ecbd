package glob

import "strings"

// many matches a pattern with several stars by running all its states at once:
// bit i is set when the first i tokens have matched what was read so far. So
// the work for one byte is the same, whatever was read before.
type many struct {
	// class maps a byte to its row in rows; class 0 is of no literal.
	class [256]uint8
	// rows[c] has bit i set when token i is a literal of class c.
	rows [][]uint64
	// stay has bit i set when token i is a double star, within when it is any
	// star: that one does not take the separator.
	stay, within []uint64
	sep          byte
	last         int
}

const (
	maxWords = (MaxBytes + 64) / 64
	wordBits = 64
)

func newMany(pattern string, sep byte) *many {
	m := &many{sep: sep}
	words := len(pattern)/wordBits + 1
	m.rows = [][]uint64{make([]uint64, words)}
	m.stay, m.within = make([]uint64, words), make([]uint64, words)
	for p := pattern; p != ""; m.last++ {
		if p[0] != '*' {
			set(m.row(p[0], words), m.last)
			p = p[1:]
			continue
		}
		set(m.within, m.last)
		if strings.HasPrefix(p, "**") {
			set(m.stay, m.last)
		}
		p = strings.TrimLeft(p, "*")
	}
	return m
}

func (m *many) row(c byte, words int) []uint64 {
	if m.class[c] == 0 {
		// A pattern has at most 255 literals that differ: no star is one.
		m.class[c] = uint8(len(m.rows))
		m.rows = append(m.rows, make([]uint64, words))
	}
	return m.rows[m.class[c]]
}

func set(bits []uint64, i int) { bits[i/wordBits] |= 1 << (i % wordBits) }

func (m *many) match(s string) bool {
	var buf [maxWords]uint64
	state := buf[:len(m.within)]
	state[0] = 1
	m.skip(state)
	for i := range len(s) {
		if !m.step(state, s[i]) {
			return false
		}
	}
	return state[m.last/wordBits]>>(m.last%wordBits)&1 == 1
}

// step reads one byte; false when no state is left.
func (m *many) step(state []uint64, c byte) bool {
	row, stay := m.rows[m.class[c]], m.within
	if c == m.sep {
		stay = m.stay
	}
	var carry, alive uint64
	for w, have := range state {
		taken := have & row[w]
		next := have&stay[w] | taken<<1 | carry
		carry = taken >> (wordBits - 1)
		state[w] = next
		alive |= next
	}
	m.skip(state)
	return alive != 0
}

// skip lets every star that was reached match the empty run. No two stars are
// neighbours, so once is enough.
func (m *many) skip(state []uint64) {
	var carry uint64
	for w, have := range state {
		over := have & m.within[w]
		state[w] = have | over<<1 | carry
		carry = over >> (wordBits - 1)
	}
}
