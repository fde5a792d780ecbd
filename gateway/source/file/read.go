package file

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// settled is how old a file's last change must be for its time to be trusted:
// clocks of file systems are coarse, and a second write in the same tick does
// not show.
const settled = 2 * time.Second

// content is the text of a file, or why there is none.
type content struct {
	info fs.FileInfo
	// trusted: a later look with the same info would find the same text.
	trusted bool
	sum     [sha256.Size]byte
	text    []byte
	problem *textProblem
	// gone: the file was listed, and is not there.
	gone bool
}

// same is true when a file need not be read again.
func (c *content) same(info fs.FileInfo) bool {
	return c.trusted && os.SameFile(c.info, info) && c.info.Size() == info.Size() &&
		c.info.ModTime().Equal(info.ModTime()) && c.info.Mode() == info.Mode()
}

// readFile reads a file of at most room bytes.
func readFile(e entry, now time.Time, room int64) *content {
	c := &content{info: e.info}
	text, err := readAll(e.path, room)
	if err != nil {
		c.problem = &textProblem{message: plainError(err), mend: mendRead(err)}
		c.gone = errors.Is(err, fs.ErrNotExist)
		return c
	}
	c.text, c.sum = text, sha256.Sum256(text)
	c.trusted = now.Sub(e.info.ModTime()) > settled
	return c
}

// errTooLarge is for a file beyond its bound.
type errTooLarge struct{ size, most int64 }

func (e errTooLarge) Error() string {
	return fmt.Sprintf("the file has %d bytes, more than the %d that are read", e.size, e.most)
}

// errNoRoom is for the file with which all are too large together.
var errNoRoom = fmt.Errorf("all files together have more than the %d bytes that are read", maxTotalBytes)

// errIrregular is for what is no file: opening a pipe would wait for its
// writer.
var errIrregular = errors.New("is no regular file")

func readAll(path string, room int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errIrregular
	}
	if info.Size() > maxFileBytes {
		return nil, errTooLarge{info.Size(), maxFileBytes}
	}
	most := min(maxFileBytes, room)
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	switch size := int64(len(text)); {
	case size > maxFileBytes:
		return nil, errTooLarge{size, maxFileBytes}
	case size > most:
		return nil, errNoRoom
	}
	return text, nil
}

func mendRead(err error) string {
	var large errTooLarge
	switch {
	case errors.Is(err, errNoRoom):
		return "name fewer files"
	case errors.As(err, &large):
		return "split it"
	case errors.Is(err, fs.ErrPermission):
		return "let this user read it"
	}
	return ""
}
