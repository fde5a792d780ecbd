package laptop

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/hopgate/hopgate/authz/token"
)

// state is the state folder: keys, the last good state, the record. One
// process at a time has it.
type state struct {
	dir  string
	lock *os.File
}

// DefaultState is the state folder of a user.
func DefaultState(getenv func(string) string) string {
	if d := getenv("XDG_STATE_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "hopgate")
	}
	return filepath.Join(getenv("HOME"), ".local", "state", "hopgate")
}

func openState(dir string) (*state, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find state folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("%w: make state folder: %w", ErrEnvironment, err)
	}
	if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // a folder is entered
		return nil, fmt.Errorf("%w: close state folder to others: %w", ErrEnvironment, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: open state folder: %w", ErrEnvironment, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errors.New("another hopgate has it; end that one, or give this one a --state of its own")
		}
		return nil, errors.Join(fmt.Errorf("%w: state folder %s: %w", ErrEnvironment, dir, err), f.Close())
	}
	return &state{dir: dir, lock: f}, nil
}

// findPaths refuses a first start on nothing: where no path is there, and no
// good state is kept of an earlier run, the built-in Gateway alone would serve,
// for a typing error. A path that comes later is watched for.
func findPaths(paths []string, state string) error {
	if len(paths) == 0 || there(statePath(state, lastGoodFile)) {
		return nil
	}
	var errs []error
	for _, p := range paths {
		_, err := os.Stat(p)
		if !errors.Is(err, fs.ErrNotExist) {
			return nil // it is there, or its own error is told with the others of files
		}
		errs = append(errs, fmt.Errorf("read files: %w", err))
	}
	return errors.Join(errs...)
}

func (s *state) path(name string) string { return filepath.Join(s.dir, name) }

func (s *state) close() error { return s.lock.Close() }

// Names in the state folder.
const (
	// LocalKeyFile has the key of the built-in TrustDomain.
	LocalKeyFile  = "local-key.pem"
	auditKeyFile  = "audit-key.pem"
	lastGoodFile  = "last-good.json"
	auditFileName = "audit.jsonl"
	// ordersFileName has what people have revoked and quarantined.
	ordersFileName = "orders.jsonl"
	// budgetsFileName has what agents have used of budgets.
	budgetsFileName = "budgets.jsonl"
	caCertFile      = "ca.pem"
	caKeyFile       = "ca.key"
)

func statePath(dir, name string) string { return filepath.Join(dir, name) }

// AuditKey is the path of the key that signs the record.
func AuditKey(state string) string { return statePath(state, auditKeyFile) }

// OpenLocalKey is the key of the built-in TrustDomain, made where there is none.
// It does not take the state folder: a gateway may have it.
func OpenLocalKey(state string) (*token.Key, error) {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, fmt.Errorf("%w: make state folder: %w", ErrEnvironment, err)
	}
	key, err := token.LoadOrCreate(LocalKey(state))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEnvironment, err)
	}
	return key, nil
}

// AuditFile is the path of the record, where no other was given.
func AuditFile(state string) string { return statePath(state, auditFileName) }

// LocalKey is the path of the key of the built-in TrustDomain.
func LocalKey(state string) string { return statePath(state, LocalKeyFile) }
