package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hopgate/hopgate/gateway/source"
)

// entry is one file to read.
type entry struct {
	// path is absolute, shown as the user gave it.
	path, shown string
	info        fs.FileInfo
}

// listing is what the paths of the user hold now.
type listing struct {
	// entries are sorted by path.
	entries []entry
	// folders are those to watch, by real path.
	folders map[string]interest
	// lost are paths under which nothing could be listed: what was read there
	// is kept.
	lost     []string
	problems []listProblem
	// torn: something went while it was listed or read. Whether it alone went,
	// or the folder with it, another look tells.
	torn bool
}

// listProblem is a problem of a path that is not about what is in a file.
type listProblem struct {
	path string
	source.Problem
}

// interest is what matters in a watched folder.
type interest struct {
	// all: every file that is read. Else only names, and links to them.
	all   bool
	names []string
}

// scan lists the files below the given paths.
func scan(paths []string) listing {
	s := scanner{seen: map[string]bool{}, visited: map[string]string{}}
	s.out.folders = map[string]interest{}
	for _, p := range paths {
		s.root(p)
	}
	slices.SortFunc(s.out.entries, func(a, b entry) int { return strings.Compare(a.path, b.path) })
	return s.out
}

type scanner struct {
	out listing
	// seen are files, visited folders: real path to the path first shown.
	seen    map[string]bool
	visited map[string]string
}

func (s *scanner) root(given string) {
	path, err := filepath.Abs(given)
	if err != nil {
		s.lose(given, given, err)
		return
	}
	s.watchName(path)
	info, err := os.Stat(path)
	if err != nil {
		s.lose(path, given, err)
		return
	}
	if info.IsDir() {
		s.folder(path, given, 0)
		return
	}
	link, err := os.Lstat(path)
	s.file(entry{path, given, info}, err == nil && link.Mode()&fs.ModeSymlink != 0)
}

// watchName watches for one name in its folder.
func (s *scanner) watchName(path string) {
	folder, name := filepath.Split(path)
	if real, err := filepath.EvalSymlinks(filepath.Clean(folder)); err == nil {
		in := s.out.folders[real]
		in.names = append(in.names, name)
		s.out.folders[real] = in
	}
}

func (s *scanner) lose(path, shown string, err error) {
	s.out.lost = append(s.out.lost, path)
	s.problem(path, shown, source.Error, plainError(err), "")
}

func (s *scanner) problem(path, shown string, severity source.Severity, message, mend string) {
	s.out.problems = append(s.out.problems, listProblem{path, source.Problem{File: shown, Severity: severity, Message: message, Mend: mend}})
}

// folder reads one folder and those below it. A folder that two links lead to
// is read once: so a loop ends.
func (s *scanner) folder(path, shown string, depth int) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		s.lose(path, shown, err)
		return
	}
	if first, twice := s.visited[real]; twice {
		s.problem(path, shown, source.Info, "the folder is read already as "+first, "")
		return
	}
	if depth > maxFolderDepth || len(s.visited) >= maxFolders {
		s.problem(path, shown, source.Error, fmt.Sprintf("is left out: more than %d levels or %d folders", maxFolderDepth, maxFolders), "name fewer folders")
		return
	}
	s.visited[real] = shown
	in := s.out.folders[real]
	in.all = true
	s.out.folders[real] = in
	entries, err := os.ReadDir(path)
	if err != nil {
		s.lose(path, shown, err)
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			s.member(filepath.Join(path, e.Name()), filepath.Join(shown, e.Name()), e, depth)
		}
	}
}

func (s *scanner) member(path, shown string, e fs.DirEntry, depth int) {
	if !e.IsDir() && e.Type()&fs.ModeSymlink == 0 && !readable(path) {
		return
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && e.Type()&fs.ModeSymlink == 0:
		s.out.torn = true
	case err != nil:
		if readable(path) {
			s.lose(path, shown, err)
		}
	case info.IsDir():
		s.folder(path, shown, depth+1)
	case readable(path):
		s.file(entry{path, shown, info}, e.Type()&fs.ModeSymlink != 0)
	}
}

// readable says by its name whether a file in a folder is read.
func readable(path string) bool {
	switch filepath.Ext(path) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// file adds a file. Where it is a link, the folder of what it leads to is
// watched too.
func (s *scanner) file(e entry, isLink bool) {
	if s.seen[e.path] {
		return
	}
	if len(s.seen) >= maxFiles {
		s.problem(e.path, e.shown, source.Error, fmt.Sprintf("is left out: more than %d files", maxFiles), "name fewer files")
		s.out.lost = append(s.out.lost, e.path)
		return
	}
	s.seen[e.path] = true
	s.out.entries = append(s.out.entries, e)
	if !isLink {
		return
	}
	if real, err := filepath.EvalSymlinks(e.path); err == nil {
		s.watchName(real)
	}
}

// plainError is an error of the file system without the path, which stands in
// front of it already.
func plainError(err error) string {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Op + ": " + path.Err.Error()
	}
	return err.Error()
}
