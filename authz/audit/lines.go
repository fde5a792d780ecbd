package audit

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"io"
)

// lines reads a file line by line in constant memory.
type lines struct {
	r *bufio.Reader
	// offset is behind the last line that next returned.
	offset int64
	// torn is the length of what follows the last newline, once next has
	// returned io.EOF.
	torn int64
	// sum is the hash of the last line.
	sum digest
}

func newLines(r io.Reader) *lines {
	return &lines{r: bufio.NewReaderSize(r, maxLine+1)}
}

// next returns the next line without its newline, valid until the next call.
// A line that is longer than any of ours comes back empty, with the hash of
// all of it. What follows the last newline does not come back.
func (l *lines) next() ([]byte, error) {
	b, err := l.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return l.skip(b)
	}
	if err != nil {
		l.torn = int64(len(b))
		return nil, err
	}
	l.offset += int64(len(b))
	b = b[:len(b)-1]
	l.sum = sha256.Sum256(b)
	return b, nil
}

// skip reads past a line that is longer than the buffer.
func (l *lines) skip(b []byte) ([]byte, error) {
	h := sha256.New()
	n := int64(0)
	for {
		n += int64(len(b))
		h.Write(b)
		var err error
		b, err = l.r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			l.torn = n + int64(len(b))
			return nil, err
		}
		h.Write(b[:len(b)-1])
		h.Sum(l.sum[:0])
		l.offset += n + int64(len(b))
		return nil, nil
	}
}
