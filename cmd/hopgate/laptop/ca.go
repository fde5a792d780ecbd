package laptop

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/hopgate/hopgate/xds/secrets"
)

// ErrCAThere means that there is a CA, which is not written over.
var ErrCAThere = errors.New("there is a CA already, which agents may trust: --force makes another one in its place")

// MakeCA makes a CA in a state folder. It does not take the folder: a gateway
// may have it, and goes on with the CA that it read when it began.
func MakeCA(state string, p secrets.Params, force bool, now time.Time) (CAFiles, error) {
	files := CAIn(state)
	for _, path := range []string{files.Cert, files.Key} {
		if _, err := os.Lstat(path); !force && !errors.Is(err, fs.ErrNotExist) {
			return files, fmt.Errorf("write %s: %w", path, errors.Join(err, ErrCAThere))
		}
	}
	cert, key, err := secrets.MakeCA(p, now, rand.Reader)
	if err != nil {
		return files, err
	}
	if err := os.MkdirAll(state, 0o700); err != nil {
		return files, fmt.Errorf("%w: make state folder: %w", ErrEnvironment, err)
	}
	if err := replace(files.Key, key.Reveal(), 0o600); err != nil {
		return files, fmt.Errorf("%w: write the CA's key: %w", ErrEnvironment, err)
	}
	if err := replace(files.Cert, cert, 0o644); err != nil {
		return files, fmt.Errorf("%w: write the CA: %w", ErrEnvironment, err)
	}
	return files, nil
}

// replace writes a file whole or not at all.
func replace(path string, text []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".ca-*") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // it has another name, or is of no use
	_, err = f.Write(text)
	if err := errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
