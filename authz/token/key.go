package token

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"github.com/hopgate/hopgate/authz/token/jwks"
)

// Key is a private Ed25519 key that signs tokens of development, and records.
// It never shows itself.
type Key struct {
	// private is a function because fmt cannot look into one: %w and %p, and a
	// Key in a field that is not exported, ask no method.
	private func() ed25519.PrivateKey
}

func newKey(private ed25519.PrivateKey) *Key {
	return &Key{func() ed25519.PrivateKey { return private }}
}

// Types of PEM blocks (RFC 7468 sections 10 and 13).
const (
	pemPrivate = "PRIVATE KEY"
	pemPublic  = "PUBLIC KEY"
)

// maxKeyFile is more than any Ed25519 key takes, in bytes.
const maxKeyFile = 16 << 10

// Generate makes a key of the randomness of r.
func Generate(r io.Reader) (*Key, error) {
	// Not ed25519.GenerateKey: from Go 1.26 on it no longer reads r.
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(r, seed); err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return newKey(ed25519.NewKeyFromSeed(seed)), nil
}

// Load reads a private key in PKCS #8 PEM (RFC 5958, RFC 8410). A file that
// others than its owner can read is refused: who can read it can sign.
func Load(path string) (*Key, error) {
	block, mode, err := readBlock(path)
	if err != nil {
		return nil, err
	}
	if block.Type != pemPrivate {
		return nil, fmt.Errorf("read key %s: it holds no PEM block %s", path, pemPrivate)
	}
	if mode.Perm()&0o077 != 0 {
		return nil, fmt.Errorf("read key %s: others can read it: chmod 600 it, or delete it to have a new one made", path)
	}
	return parsePrivate(path, block.Bytes)
}

func parsePrivate(path string, der []byte) (*Key, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("read key %s: not PKCS #8", path)
	}
	private, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("read key %s: not an Ed25519 key", path)
	}
	return newKey(private), nil
}

// LoadPublic reads a public key in PEM, or the public half of a private one.
func LoadPublic(path string) (ed25519.PublicKey, error) {
	block, _, err := readBlock(path)
	if err != nil {
		return nil, err
	}
	switch block.Type {
	case pemPublic:
		return parsePublic(path, block.Bytes)
	case pemPrivate:
		k, err := parsePrivate(path, block.Bytes)
		if err != nil {
			return nil, err
		}
		return k.Public(), nil
	default:
		return nil, fmt.Errorf("read key %s: it holds no PEM block %s or %s", path, pemPublic, pemPrivate)
	}
}

func parsePublic(path string, der []byte) (ed25519.PublicKey, error) {
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("read key %s: not a public key", path)
	}
	public, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("read key %s: not an Ed25519 key", path)
	}
	return public, nil
}

// readBlock reads a file of one PEM block. Of two it would have to choose.
func readBlock(path string) (*pem.Block, fs.FileMode, error) {
	// Without O_NONBLOCK, opening a pipe would wait for its writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("read key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, fmt.Errorf("read key: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxKeyFile {
		return nil, 0, fmt.Errorf("read key %s: not a file of a key", path)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, 0, fmt.Errorf("read key: %w", err)
	}
	block, rest := pem.Decode(raw)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, 0, fmt.Errorf("read key %s: it does not hold exactly one PEM block", path)
	}
	return block, info.Mode(), nil
}

// LoadOrCreate reads the key at path, or makes one there. Two processes that
// make one at once end up with the same.
func LoadOrCreate(path string) (*Key, error) {
	k, err := Load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	if k, err = Generate(rand.Reader); err != nil {
		return nil, err
	}
	if err := k.save(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return Load(path)
}

// save writes the key whole or not at all, and never over another.
func (k *Key) save(path string) error {
	der, err := x509.MarshalPKCS8PrivateKey(k.Private())
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*") // 0600
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // it is linked by another name, or of no use
	err = errors.Join(pem.Encode(f, &pem.Block{Type: pemPrivate, Bytes: der}), f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	// A link, unlike a rename, fails where a file is.
	if err := os.Link(f.Name(), path); err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	return nil
}

// Public is the public half.
func (k *Key) Public() ed25519.PublicKey { return k.Private().Public().(ed25519.PublicKey) }

// Private is the key itself, for signers of other things than tokens.
func (k *Key) Private() ed25519.PrivateKey { return k.private() }

// ID is the kid: the RFC 7638 thumbprint.
func (k *Key) ID() string { return jwks.Thumbprint(k.Public()) }

// JWKS is the JWK Set that verifies what this key signs.
func (k *Key) JWKS() []byte { return jwks.Ed25519(k.Public()) }

// LogValue keeps a key out of logs. It and the next are methods of a Key, not
// of a pointer alone: a copy does not show itself either.
func (Key) LogValue() slog.Value { return slog.StringValue("[key]") }

// String keeps a key out of formatted text.
func (Key) String() string { return "[key]" }

// GoString keeps a key out of %#v.
func (Key) GoString() string { return "[key]" }

// Format keeps a key out of every other verb.
func (k Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, k.String()) } // fmt has no place for an error
