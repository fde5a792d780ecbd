package leash

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// ID names one hop: 128 random bits. The zero ID is none.
type ID [16]byte

// NewID draws an ID.
func NewID(rand io.Reader) (ID, error) {
	var id ID
	if err := id.Draw(rand); err != nil {
		return ID{}, err
	}
	return id, nil
}

// Draw makes id a new one; after an error it is none.
func (id *ID) Draw(rand io.Reader) error {
	if _, err := io.ReadFull(rand, id[:]); err != nil {
		*id = ID{}
		return fmt.Errorf("draw hop id: %w", err)
	}
	return nil
}

// String is the ID in lower-case hexadecimal.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

var errID = errors.New("malformed hop id")

// ParseID reads what String wrote, and nothing else.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 2*len(id) {
		return ID{}, errID
	}
	for i := range s {
		if s[i] >= 'A' && s[i] <= 'F' {
			return ID{}, errID
		}
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, errID
	}
	return id, nil
}
