package file

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// maxStateBytes bounds the state file: all that is read at most, in base64.
const maxStateBytes = 2 * maxTotalBytes

// LastGood keeps accepted documents over a restart.
type LastGood interface {
	// Load returns what was saved last; nothing when nothing was.
	Load() ([]Document, error)
	// Save replaces what was saved before. Documents are sorted by path and
	// line.
	Save([]Document) error
}

// Document is the text of one accepted object.
type Document struct {
	// Path is the absolute path of the file, Line where the document begins in
	// it, Number which one it is; both from 1.
	Path   string `json:"path"`
	Line   int    `json:"line"`
	Number int    `json:"number"`
	Text   []byte `json:"text"`
}

// StateFile is a LastGood in one file, mode 0600: Secrets may be in it. It is
// replaced as a whole, by rename.
type StateFile struct {
	path string
	// most is how many bytes it has at most.
	most int
}

// NewStateFile returns the store at a path. The folder must be there.
func NewStateFile(path string) *StateFile { return &StateFile{path: path, most: maxStateBytes} }

// stateContent is what is in a StateFile.
type stateContent struct {
	Version   int        `json:"version"`
	Documents []Document `json:"documents"`
}

const stateVersion = 1

// Load reads the file. A missing one is empty; one of another version, or that
// is no state file, is an error.
func (s *StateFile) Load() ([]Document, error) {
	f, err := os.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read last good state: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, int64(s.most)+1))
	if err != nil {
		return nil, fmt.Errorf("read last good state: %w", err)
	}
	if len(text) > s.most {
		return nil, fmt.Errorf("read last good state: %s has more than %d bytes", s.path, s.most)
	}
	var content stateContent
	if err := json.Unmarshal(text, &content); err != nil {
		// The text of the error may quote the file, and Secrets are in it.
		return nil, fmt.Errorf("parse last good state: %s is damaged", s.path)
	}
	if content.Version != stateVersion {
		return nil, fmt.Errorf("parse last good state: version %d is not %d", content.Version, stateVersion)
	}
	return content.Documents, nil
}

// Save writes the file.
func (s *StateFile) Save(documents []Document) error {
	text, err := json.Marshal(stateContent{Version: stateVersion, Documents: documents})
	if err != nil {
		return fmt.Errorf("encode last good state: %w", err)
	}
	if len(text) > s.most {
		return fmt.Errorf("save last good state: %d bytes are more than %d", len(text), s.most)
	}
	if err := replaceFile(s.path, text); err != nil {
		return fmt.Errorf("save last good state: %w", err)
	}
	return nil
}

// replaceFile writes a file beside the old one and renames it: a reader, or a
// start after a power cut, finds one of the two, whole.
func replaceFile(path string, text []byte) (err error) {
	beside := path + ".new"
	if err := os.Remove(beside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(beside))
		}
	}()
	if _, err := f.Write(text); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(beside, path)
}
