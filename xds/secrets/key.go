package secrets

import (
	"fmt"
	"io"
	"log/slog"
)

// Key is a private key in PEM. It never shows itself: it is behind a pointer,
// so that no verb of fmt and no field that holds a Key prints it.
type Key struct{ pem *[]byte }

const hidden = "[key]"

func newKey(pem []byte) Key { return Key{&pem} }

// Reveal is the key, for the one place that needs it.
func (k Key) Reveal() []byte {
	if k.pem == nil {
		return nil
	}
	return *k.pem
}

// String keeps the key out of formatted text.
func (Key) String() string { return hidden }

// Format keeps the key out of every verb.
func (Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) } // fmt has no place for an error

// LogValue keeps the key out of logs.
func (Key) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText keeps the key out of JSON.
func (Key) MarshalText() ([]byte, error) { return []byte(hidden), nil }
