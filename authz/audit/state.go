package audit

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// state is what a side file remembers of the log's end, so that a start reads
// only what came after it. It is a hint: what it says of the file is checked
// against the file.
type state struct {
	Version int `json:"version"`
	// Seq and Prev are of the last line, which lies from Start to Offset.
	// Offset zero: the line is in another file, and this one begins after it.
	Seq    uint64 `json:"seq"`
	Prev   string `json:"prev"`
	Start  int64  `json:"start"`
	Offset int64  `json:"offset"`
	// Bare is the number of lines since the last checkpoint.
	Bare int `json:"bare"`
	// Closed is true when that line is the checkpoint of a clean end.
	Closed bool `json:"closed"`
	// Open are the hops that had begun, as objects with identity's members.
	Open []json.RawMessage `json:"open"`
}

const stateVersion = 1

// readState returns nil, and why, where there is none that can be used.
func readState(d disk, path string) (*state, error) {
	b, err := d.read(path)
	if err != nil {
		return nil, err
	}
	var s state
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("decode %s: %w", path, err)
	}
	var prev digest
	if s.Version != stateVersion || s.Start < 0 || s.Bare < 0 || s.Offset < s.Start || s.Offset-s.Start > maxLine+1 {
		return nil, fmt.Errorf("decode %s: not of this version", path)
	}
	if err := decodeHex(prev[:], []byte(s.Prev)); err != nil {
		return nil, fmt.Errorf("decode %s: prev: %w", path, err)
	}
	return &s, nil
}

func (s *state) chain() chain {
	c := chain{seq: s.Seq, bare: s.Bare}
	// readState has decoded it once.
	_ = decodeHex(c.prev[:], []byte(s.Prev))
	return c
}

// hops are the open ones; what cannot be read is left out.
func (s *state) hops() openHops {
	open := openHops{}
	for _, raw := range s.Open {
		if r, err := Decode(raw); err == nil {
			open.begin(&r)
		}
	}
	return open
}

func (w *writer) statePath() string { return w.log.cfg.Path + ".state" }

// save writes the side file. It is missed only after a crash, and then costs
// a longer read: so a failure is told and no more.
func (w *writer) save(closed bool) {
	if w.saved == w.chain.seq && !closed && !w.fresh {
		return
	}
	s := state{
		Version: stateVersion, Seq: w.chain.seq, Prev: hex.EncodeToString(w.chain.prev[:]),
		Start: w.start, Offset: w.size, Bare: w.chain.bare, Closed: closed, Open: w.open.objects(),
	}
	if w.fresh {
		s.Start, s.Offset = 0, 0
	}
	b, err := json.Marshal(s)
	if err == nil {
		err = w.disk.replace(w.statePath(), b)
	}
	if err != nil {
		w.logger.Warn("audit log state cannot be saved", "error", err)
		return
	}
	w.saved = w.chain.seq
}
