package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// socketName is the guard's socket in its folder.
const socketName = "guard.sock"

// longestName is a socket's in the same folder than which none has a longer
// path (wire.CanarySocket).
const longestName = "canary-routes.sock"

// maxSocketPath is the longest path a unix socket can have, without the NUL.
const maxSocketPath = 107

// Runtime is a private folder for sockets.
type Runtime struct {
	// Dir is the folder, mode 0700.
	Dir string
}

// NewRuntime makes the folder below the first of the bases in which the
// sockets' paths are short enough.
func NewRuntime(bases ...string) (Runtime, error) {
	var why error
	for _, b := range bases {
		if b == "" {
			continue
		}
		dir, err := os.MkdirTemp(b, "hopgate-")
		if err != nil {
			why = errors.Join(why, err)
			continue
		}
		if p := filepath.Join(dir, longestName); len(p) <= maxSocketPath {
			return Runtime{Dir: dir}, nil
		}
		why = errors.Join(why, fmt.Errorf("%s is too long for a socket", dir))
		_ = os.Remove(dir) // it is empty and ours
	}
	return Runtime{}, fmt.Errorf("make a folder for sockets: %w", why)
}

// Socket is the path of the guard's socket.
func (r Runtime) Socket() string { return filepath.Join(r.Dir, socketName) }

// Close removes the folder.
func (r Runtime) Close() error { return os.RemoveAll(r.Dir) }

// Caller is the one process that the socket answers. It is safe for
// concurrent use.
type Caller struct {
	mu      sync.Mutex
	pid     int           // guarded by mu
	changed chan struct{} // guarded by mu; closed when pid changes
}

// NewCaller answers nobody until Set.
func NewCaller() *Caller { return &Caller{changed: make(chan struct{})} }

// Set makes the process with this id the one that is answered.
func (c *Caller) Set(pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pid = pid
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *Caller) is(pid int) (bool, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pid == pid, c.changed
}

// callerPatience is how long a connection waits for its process to be named:
// a child can dial before its parent knows its id.
const callerPatience = 500 * time.Millisecond

// admit reports whether pid is, or soon becomes, the process to answer.
func (c *Caller) admit(pid int) bool {
	t := time.NewTimer(callerPatience)
	defer t.Stop()
	for {
		ok, changed := c.is(pid)
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-t.C:
			return false
		}
	}
}

// Listen opens the socket. Connections of other processes are closed before a
// byte of them is read.
func Listen(path string, caller *Caller, log *slog.Logger) (net.Listener, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("listen on %s: a socket's path has at most %d bytes", path, maxSocketPath)
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("open the guard's socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("close the guard's socket to others: %w", err), l.Close())
	}
	return newOnly(l.(*net.UnixListener), caller, log), nil
}

// only is a listener that lets one process in. Each connection is checked on
// its own, so that one which waits holds nobody up.
type only struct {
	*net.UnixListener
	caller *Caller
	log    *slog.Logger
	in     chan net.Conn
	done   chan struct{}
	once   sync.Once
	err    error // set before done is closed
	wg     sync.WaitGroup
}

func newOnly(l *net.UnixListener, c *Caller, log *slog.Logger) *only {
	o := &only{UnixListener: l, caller: c, log: log, in: make(chan net.Conn), done: make(chan struct{})}
	o.wg.Go(o.accept)
	return o
}

func (o *only) accept() {
	for {
		conn, err := o.AcceptUnix()
		if err != nil {
			o.stop(err)
			return
		}
		o.wg.Go(func() { o.check(conn) })
	}
}

func (o *only) stop(err error) {
	o.once.Do(func() {
		o.err = err
		close(o.done)
	})
}

func (o *only) check(conn *net.UnixConn) {
	pid, err := peerPID(conn)
	if err != nil || !o.caller.admit(pid) {
		o.log.Warn("refused a process at the guard's socket", "pid", pid, "error", err)
		_ = conn.Close() // whoever it is has no claim to an error
		return
	}
	select {
	case o.in <- conn:
	case <-o.done:
		_ = conn.Close()
	}
}

// Accept returns the next connection of the one process.
func (o *only) Accept() (net.Conn, error) {
	select {
	case c := <-o.in:
		return c, nil
	case <-o.done:
		return nil, o.err
	}
}

// Close closes the socket and waits for what was being checked.
func (o *only) Close() error {
	err := o.UnixListener.Close()
	o.stop(net.ErrClosed)
	o.wg.Wait()
	return err
}
