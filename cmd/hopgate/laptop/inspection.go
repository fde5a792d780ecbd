package laptop

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/hopgate/hopgate/authz/check"
	"github.com/hopgate/hopgate/authz/policy"
	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/xds/secrets"
)

// CAFiles is a CA, in PEM, as cert-manager writes it into a Secret.
type CAFiles struct{ Cert, Key string }

// CAIn is the CA of a state folder.
func CAIn(state string) CAFiles {
	return CAFiles{Cert: statePath(state, caCertFile), Key: statePath(state, caKeyFile)}
}

// inspection is whether TLS can be inspected: ca, or why not.
type inspection struct {
	ca  *secrets.CA // nil: it cannot be
	why string
}

// policies is how policies are compiled by that.
func (i inspection) policies() policy.Config {
	return policy.Config{Inspects: i.ca != nil, NoInspect: i.why}
}

// canaryTLS is how canaries trust the CA; nil where it is not there, or may not
// sign for their names.
func (i inspection) canaryTLS() *tls.Config {
	if i.ca == nil || i.ca.Permits(wire.CanaryDomain) != nil {
		return nil
	}
	roots := x509.NewCertPool()
	roots.AddCert(i.ca.Certificate())
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// noRoots is why nothing is inspected without the system's roots: the other end
// could be anybody.
const noRoots = "no file of root certificates was found to verify the other end by: name one in SSL_CERT_FILE"

// inspect looks for a CA. One that was asked for and is no good is an error; one
// of the state folder that is no good is the reason why nothing is inspected.
func inspect(asked CAFiles, state, roots string, now time.Time) (inspection, error) {
	files := asked
	if asked == (CAFiles{}) {
		files = CAIn(state)
	}
	ca, err := ReadCA(files, now)
	switch {
	case err != nil && asked != (CAFiles{}):
		return inspection{}, err
	case errors.Is(err, fs.ErrNotExist) && !there(files.Cert):
		return inspection{}, nil
	case err != nil:
		return inspection{why: err.Error()}, nil //nolint:nilerr // as said
	case roots == "":
		return inspection{why: noRoots}, nil
	}
	return inspection{ca: ca}, nil
}

// ReadCA reads a CA that can be used now.
func ReadCA(files CAFiles, now time.Time) (*secrets.CA, error) {
	if files.Cert == "" || files.Key == "" {
		return nil, errors.New("read CA: it needs a file of its certificate, and one of its key")
	}
	cert, err := readSmall(files.Cert)
	if err != nil {
		return nil, fmt.Errorf("read CA: %w", err)
	}
	key, err := readSmall(files.Key)
	if err != nil {
		return nil, fmt.Errorf("read CA: %w", err)
	}
	ca, err := secrets.ParseCA(cert, key, now)
	if err != nil {
		return nil, fmt.Errorf("read CA %s: %w", files.Cert, err)
	}
	return ca, nil
}

// maxCAFile is more than any file that is taken.
const maxCAFile = 128 << 10

// readSmall reads a regular file of modest size. A pipe would wait for whoever
// writes it.
func readSmall(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	return io.ReadAll(io.LimitReader(f, maxCAFile))
}

// makeSecrets makes what mints, if there is a CA.
func (l *Laptop) makeSecrets() (err error) {
	l.inspection, err = inspect(l.cfg.CA, l.state.dir, roots(l.cfg.Getenv), time.Now())
	if err != nil {
		return err
	}
	if l.inspection.ca == nil {
		if l.inspection.why != "" {
			l.cfg.Log.Warn("no TLS is inspected", "why", l.inspection.why)
		}
		return nil
	}
	l.secrets, err = secrets.NewLeaves(secrets.Config{CA: l.inspection.ca, Now: time.Now, Rand: rand.Reader, Log: l.cfg.Log})
	return err
}

// leaves is what the guard approves names with.
func (l *Laptop) leaves() check.Leaves {
	if l.secrets == nil {
		return nil
	}
	return l.secrets
}

// Inspected is how many names TLS is inspected for, or was a moment ago.
func (l *Laptop) Inspected() int {
	if l.secrets == nil {
		return 0
	}
	return l.secrets.Names()
}
