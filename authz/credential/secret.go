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

// Secret is a header's value. It never shows itself: the value is behind a
// pointer, so that no verb of fmt and no field that holds a Secret prints it.
// The zero Secret is empty.
type Secret struct{ value *string }

const hidden = "[secret]"

// Reveal is the value, for the one place that needs it.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// String keeps the value out of formatted text.
func (Secret) String() string { return hidden }

// Format keeps the value out of every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue keeps the value out of logs.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText keeps the value out of JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// maxSecret bounds a secret, in bytes.
const maxSecret = 16 << 10

var (
	errEmpty = errors.New("it is empty")
	errLong  = fmt.Errorf("it is longer than %d bytes", maxSecret)
	errShape = errors.New("it holds characters that no header can carry")
	// errRejected is of a Credential that was not accepted.
	errRejected = errors.New("it is not accepted")
	// errIrregular is of a folder, a pipe or a device.
	errIrregular = errors.New("its file is no regular file")
)

// read finds the secret of c where the feed says it is.
func read(c *feedv1.Credential, getenv func(string) string) (Secret, error) {
	raw, err := source(c, getenv)
	if err != nil {
		return Secret{}, err
	}
	// One line end is how files are written, not part of the secret.
	raw = strings.TrimSuffix(strings.TrimSuffix(raw, "\n"), "\r")
	value := c.Prefix + raw
	switch {
	case strings.Trim(raw, " ") == "":
		return Secret{}, errEmpty
	case len(raw) > maxSecret:
		return Secret{}, errLong
	case strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r > 0x7e }):
		return Secret{}, errShape
	}
	return Secret{&value}, nil
}

func source(c *feedv1.Credential, getenv func(string) string) (string, error) {
	if c.File == "" {
		return getenv(c.Environment), nil
	}
	// A pipe would wait here for whoever writes it, and every decision with it.
	info, err := os.Stat(c.File)
	if err != nil {
		return "", fmt.Errorf("find its file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", errIrregular
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
