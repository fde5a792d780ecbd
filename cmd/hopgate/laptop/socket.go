package laptop

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Socket is the guard's: it answers Envoy and nobody else.
func (l *Laptop) Socket() string { return l.runtime.Socket() }

// runtimePoll is how often the runtime folder is looked at.
const runtimePoll = time.Second

// watchRuntime returns an ErrEnvironment when something removed the runtime
// folder: no Envoy can be started in it, and none can ask. It says once that
// only the socket went. It ends with ctx.
func (l *Laptop) watchRuntime(ctx context.Context, every time.Duration) error {
	t := time.NewTicker(every)
	defer t.Stop()
	told := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		if ctx.Err() != nil {
			return nil // the socket goes with the end
		}
		if !there(l.runtime.Dir) {
			return fmt.Errorf("%w: something removed the runtime folder %s while hopgate ran; start it again", ErrEnvironment, l.runtime.Dir)
		}
		if !told && !there(l.Socket()) {
			told = true
			l.cfg.Log.Error("something removed the guard's socket: hops are decided by the connections that are there, and an Envoy that starts anew serves nothing until hopgate is started again", "socket", l.Socket())
		}
	}
}

// there reports whether a path is not known to be missing.
func there(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
