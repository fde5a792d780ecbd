package release

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/hopgate/hopgate/authz/surface/egress"
)

// maxListed bounds what is kept of one answer.
const maxListed = 100_000

var errTooMany = errors.New("the answer lists too much")

// earliest is before which no registry published anything: what one says of a
// time that it does not know is often a zero, and not that something is old.
func earliest() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

// said reads when something was published; false: that is not said.
func said(text string) (time.Time, bool) {
	at, err := time.Parse(time.RFC3339, text)
	return at, err == nil && at.After(earliest())
}

// readPyPI reads a project's page (PEP 691), with the upload-time of PEP 700. A
// file without one is not listed.
func readPyPI(r io.Reader, page *url.URL) (map[string]file, error) {
	out, twice := map[string]file{}, map[string]bool{}
	d := json.NewDecoder(r)
	err := members(d, func(name string) error {
		if name != "files" {
			return skip(d)
		}
		return children(d, func(string) error {
			var f struct {
				Filename   string `json:"filename"`
				URL        string `json:"url"`
				UploadTime string `json:"upload-time"`
			}
			if err := d.Decode(&f); err != nil {
				return err
			}
			if _, listed := out[f.Filename]; listed {
				twice[f.Filename] = true
			}
			if x, ok := placed(page, f.URL, f.UploadTime); ok {
				out[f.Filename] = x
			}
			return bounded(len(out))
		})
	})
	if err != nil {
		return nil, err
	}
	for name := range twice {
		delete(out, name) // which of them is meant is not known
	}
	return out, nil
}

// placed is a file at a URL, whose path is written as that of a request is read;
// false: it is at none, or not said to be of some time.
func placed(page *url.URL, at, uploaded string) (file, bool) {
	published, ok := said(uploaded)
	where, err := page.Parse(at)
	if !ok || err != nil {
		return file{}, false
	}
	path, err := egress.CanonicalPath(where.EscapedPath())
	return file{published: published, host: authority(where), path: path}, err == nil
}

func bounded(n int) error {
	if n > maxListed {
		return errTooMany
	}
	return nil
}

// authority is host and port of a URL, in lower case.
func authority(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "80"
		if u.Scheme == "https" {
			port = "443"
		}
	}
	return strings.ToLower(u.Hostname()) + ":" + port
}

// readNPM reads a packument, which has the time of each version.
func readNPM(r io.Reader) (map[string]time.Time, error) {
	out := map[string]time.Time{}
	d := json.NewDecoder(r)
	err := members(d, func(name string) error {
		if name != "time" {
			return skip(d)
		}
		return children(d, func(version string) error {
			// "unpublished" holds an object.
			var value any
			if err := d.Decode(&value); err != nil {
				return err
			}
			text, _ := value.(string)
			if at, ok := said(text); ok {
				out[version] = at
			}
			return bounded(len(out))
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// maxLine is the longest line of a sparse index.
const maxLine = 1 << 20

// readCargo reads a crate's file of the sparse index: a line for each version,
// of which newer ones say when it was published.
func readCargo(r io.Reader) (map[string]time.Time, error) {
	out := map[string]time.Time{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var in struct {
			Version   string `json:"vers"`
			Published string `json:"pubtime"`
		}
		if err := json.Unmarshal(lines.Bytes(), &in); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(out)+1, err)
		}
		if at, ok := said(in.Published); ok {
			out[in.Version] = at
		}
		if err := bounded(len(out)); err != nil {
			return nil, err
		}
	}
	return out, lines.Err()
}
