package credential

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
)

// Secret is a header's value. It never shows itself.
type Secret struct{ value string }

// Reveal is the value, for the one place that needs it.
func (s Secret) Reveal() string { return s.value }

// String keeps the value out of formatted text.
func (Secret) String() string { return "[secret]" }

// GoString keeps the value out of %#v.
func (Secret) GoString() string { return "[secret]" }

// LogValue keeps the value out of logs.
func (Secret) LogValue() slog.Value { return slog.StringValue("[secret]") }

// MarshalText keeps the value out of JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

// maxSecret bounds a secret, in bytes.
const maxSecret = 16 << 10

var (
	errEmpty = errors.New("it is empty")
	errLong  = fmt.Errorf("it is longer than %d bytes", maxSecret)
	errShape = errors.New("it holds characters that no header can carry")
)

// read finds the secret of c where the feed says it is.
func read(c *feedv1.Credential, getenv func(string) string) (Secret, error) {
	raw, err := source(c, getenv)
	if err != nil {
		return Secret{}, err
	}
	// One line end is how files are written, not part of the secret.
	raw = strings.TrimSuffix(strings.TrimSuffix(raw, "\n"), "\r")
	switch {
	case raw == "":
		return Secret{}, errEmpty
	case len(raw) > maxSecret:
		return Secret{}, errLong
	case strings.ContainsFunc(raw, func(r rune) bool { return r < 0x20 || r > 0x7e }):
		return Secret{}, errShape
	}
	return Secret{c.Prefix + raw}, nil
}

func source(c *feedv1.Credential, getenv func(string) string) (string, error) {
	if c.File == "" {
		return getenv(c.Environment), nil
	}
	f, err := os.Open(c.File)
	if err != nil {
		return "", fmt.Errorf("open its file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+3))
	if err != nil {
		return "", fmt.Errorf("read its file: %w", err)
	}
	return string(b), nil
}
