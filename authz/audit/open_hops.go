package audit

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// maxOpen bounds the hops that are remembered as open. More would be a caller
// that never ends any; the log then goes on, and those beyond are not closed
// as lost after a crash.
const maxOpen = 1 << 18

// openHops are the hops that began and have not ended: for each the members
// that identity wrote, which its end repeats if the log must write one.
type openHops map[HopID]string

// note follows what a line says. id are the bytes that identity wrote.
func (o openHops) note(kind Kind, hop HopID, id []byte) {
	switch kind {
	case KindBegin:
		if len(o) < maxOpen {
			o[hop] = string(id)
		}
	case KindEnd, KindDeny:
		delete(o, hop)
	}
}

// begin takes a record in that was read, by whoever it was written.
func (o openHops) begin(r *Record) {
	if r.Hop == (HopID{}) {
		return
	}
	var e encoder
	e.identity(r)
	o.note(KindBegin, r.Hop, e.b)
}

// sorted are the ids in order.
func (o openHops) sorted() []HopID { return sortHops(slices.Collect(maps.Keys(o))) }

func sortHops(hops []HopID) []HopID {
	slices.SortFunc(hops, func(a, b HopID) int { return bytes.Compare(a[:], b[:]) })
	return hops
}

// objects are the hops as the side file has them.
func (o openHops) objects() []json.RawMessage {
	out := make([]json.RawMessage, 0, len(o))
	for _, h := range o.sorted() {
		// identity begins each member with a comma.
		out = append(out, json.RawMessage("{"+o[h][1:]+"}"))
	}
	return out
}

// lost is the record that ends a hop of which no end is known. It is ended at
// a line's time, which is when that was found out.
func (o openHops) lost(h HopID, reason string) *Record {
	r, err := Decode([]byte("{" + o[h][1:] + "}"))
	if err != nil {
		r = Record{Hop: h}
	}
	r.Kind, r.End, r.Reason = KindEnd, EndLost, reason
	return &r
}
