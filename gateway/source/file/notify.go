package file

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fsnotify/fsnotify"

	"github.com/hopgate/hopgate/gateway/source"
)

// notifier says that something may have changed.
type notifier interface {
	// events yields a name for each change; the name may be empty.
	events() <-chan fsnotify.Event
	// errors yields what went wrong; events may be missing then.
	errors() <-chan error
	// watch makes the folders those that are watched. It says whether one is
	// new (what happened in it before now went unseen), and which are not.
	watch(folders map[string]interest) (isNew bool, problems []source.Problem)
	close() error
}

// inotify watches by what the system offers.
type inotify struct {
	watcher *fsnotify.Watcher
	// known are the folders as they were when their watch began: another
	// folder of the same name needs another watch.
	known map[string]os.FileInfo
}

func newNotifier() (notifier, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	return &inotify{watcher: w, known: map[string]os.FileInfo{}}, nil
}

func (n *inotify) events() <-chan fsnotify.Event { return n.watcher.Events }
func (n *inotify) errors() <-chan error          { return n.watcher.Errors }
func (n *inotify) close() error                  { return n.watcher.Close() }

func (n *inotify) watch(folders map[string]interest) (isNew bool, problems []source.Problem) {
	live := map[string]bool{}
	for _, path := range n.watcher.WatchList() {
		if _, wanted := folders[path]; wanted {
			live[path] = true
			continue
		}
		// It may be gone by itself.
		_ = n.watcher.Remove(path)
	}
	for _, path := range slices.Sorted(maps.Keys(folders)) {
		added, err := n.add(path, live[path])
		isNew = isNew || added
		if err != nil {
			problems = append(problems, notWatched(path, err))
		}
	}
	maps.DeleteFunc(n.known, func(path string, _ os.FileInfo) bool {
		_, wanted := folders[path]
		return !wanted
	})
	return isNew, problems
}

func notWatched(path string, err error) source.Problem {
	return source.Problem{
		File: path, Severity: source.Warning, Message: "is not watched: " + err.Error(),
		Mend: "changes are found by looking from time to time",
	}
}

// add watches one folder unless the very same is watched.
func (n *inotify) add(path string, live bool) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		// It is gone again: the next look will say so.
		return false, nil //nolint:nilerr // as said
	}
	if old, ok := n.known[path]; ok && live && os.SameFile(old, info) {
		return false, nil
	}
	if live {
		_ = n.watcher.Remove(path)
	}
	if err := n.watcher.Add(path); err != nil {
		delete(n.known, path)
		return false, fmt.Errorf("watch folder: %w", err)
	}
	n.known[path] = info
	return true, nil
}

// matters says whether an event can change what is read.
func matters(e fsnotify.Event, folders map[string]interest) bool {
	if _, isFolder := folders[e.Name]; isFolder {
		return true
	}
	folder, name := filepath.Split(e.Name)
	in, ok := folders[filepath.Clean(folder)]
	switch {
	case !ok, name == "..data":
		// The link of a ConfigMap mount, which is swapped.
		return true
	case slices.Contains(in.names, name):
		return true
	case !in.all, strings.HasPrefix(name, "."):
		return false
	}
	// A name that is not read may be that of a folder; one that is written to
	// is not.
	return readable(name) || e.Has(fsnotify.Create) || e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename)
}
