package token

import (
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

	"github.com/hopgate/hopgate/authz/token/jwks"
)

// Key is a private Ed25519 key that signs tokens of development, and records.
// It never shows itself.
type Key struct{ private ed25519.PrivateKey }

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
	return &Key{ed25519.NewKeyFromSeed(seed)}, nil
}

// Load reads a private key in PKCS #8 PEM (RFC 5958, RFC 8410). A file that
// others than its owner can read is refused: who can read it can sign.
func Load(path string) (*Key, error) {
	der, info, err := readPEM(path, pemPrivate)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("read key %s: others can read it: chmod 600 it, or delete it to have a new one made", path)
	}
	return parsePrivate(path, der)
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
	return &Key{private}, nil
}

// LoadPublic reads a public key in PEM, or the public half of a private one.
func LoadPublic(path string) (ed25519.PublicKey, error) {
	der, _, err := readPEM(path, pemPublic)
	if errors.Is(err, errBlock) {
		if der, _, err = readPEM(path, pemPrivate); err != nil {
			return nil, err
		}
		k, err := parsePrivate(path, der)
		if err != nil {
			return nil, err
		}
		return k.Public(), nil
	}
	if err != nil {
		return nil, err
	}
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

// errBlock means that a file has another kind of PEM block, or none.
var errBlock = errors.New("not the PEM block that is wanted")

func readPEM(path, kind string) ([]byte, fs.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("read key: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxKeyFile {
		return nil, nil, fmt.Errorf("read key %s: not a file of a key", path)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, nil, fmt.Errorf("read key: %w", err)
	}
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != kind {
		return nil, nil, fmt.Errorf("read key %s: %w: %s", path, errBlock, kind)
	}
	return block.Bytes, info, nil
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
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*") // 0600
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	defer os.Remove(f.Name())
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
func (k *Key) Public() ed25519.PublicKey { return k.private.Public().(ed25519.PublicKey) }

// Private is the key itself, for signers of other things than tokens.
func (k *Key) Private() ed25519.PrivateKey { return k.private }

// ID is the kid: the RFC 7638 thumbprint.
func (k *Key) ID() string { return jwks.Thumbprint(k.Public()) }

// JWKS is the JWK Set that verifies what this key signs.
func (k *Key) JWKS() []byte { return jwks.Ed25519(k.Public()) }

// LogValue keeps a key out of logs.
func (k *Key) LogValue() slog.Value { return slog.StringValue("[key]") }

// String keeps a key out of formatted text.
func (k *Key) String() string { return "[key]" }

// GoString keeps a key out of %#v.
func (k *Key) GoString() string { return "[key]" }

// Format keeps a key out of every other verb.
func (k *Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, k.String()) } // fmt has no place for an error
