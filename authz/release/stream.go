package release

import (
	"encoding/json"
	"errors"
	"io"
)

// Documents are read piece by piece: of one with a great many versions no more
// is held than one of its pieces.

var errShape = errors.New("the answer is no object")

// members calls f with the name of each member of the object that comes next,
// which reads the value.
func members(d *json.Decoder, f func(name string) error) error {
	t, err := d.Token()
	switch {
	case err != nil:
		return err
	case t != json.Delim('{'):
		return errShape
	}
	return inside(d, true, f)
}

// children calls f for each element or member of the value that comes next, with
// the name if it has one. What has none is passed over.
func children(d *json.Decoder, f func(name string) error) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	if delim, ok := t.(json.Delim); ok {
		return inside(d, delim == '{', f)
	}
	return nil
}

// inside calls f until what has been opened is closed.
func inside(d *json.Decoder, named bool, f func(name string) error) error {
	for d.More() {
		name := ""
		if named {
			t, err := d.Token()
			if err != nil {
				return err
			}
			name, _ = t.(string)
		}
		if err := f(name); err != nil {
			return err
		}
	}
	_, err := d.Token()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// skip passes over the value that comes next.
func skip(d *json.Decoder) error {
	var piece json.RawMessage // its room is used again
	return children(d, func(string) error { return d.Decode(&piece) })
}
