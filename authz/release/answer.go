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
)

// maxListed bounds what is kept of one answer.
const maxListed = 100_000

var errTooMany = errors.New("the answer lists too much")

// readPyPI reads a project's page (PEP 691), with the upload-time of PEP 700. A
// file without one is not listed.
func readPyPI(r io.Reader, page *url.URL) (map[string]file, error) {
	var in struct {
		Files []struct {
			Filename   string `json:"filename"`
			URL        string `json:"url"`
			UploadTime string `json:"upload-time"`
		} `json:"files"`
	}
	if err := json.NewDecoder(r).Decode(&in); err != nil {
		return nil, err
	}
	if len(in.Files) > maxListed {
		return nil, errTooMany
	}
	out := make(map[string]file, len(in.Files))
	twice := map[string]bool{}
	for _, f := range in.Files {
		at, err := time.Parse(time.RFC3339, f.UploadTime)
		if err != nil {
			continue
		}
		where, err := page.Parse(f.URL)
		if err != nil {
			continue
		}
		if _, listed := out[f.Filename]; listed {
			twice[f.Filename] = true
		}
		out[f.Filename] = file{published: at, host: authority(where), path: where.EscapedPath()}
	}
	for name := range twice {
		delete(out, name) // which of them is meant is not known
	}
	return out, nil
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
	var in struct {
		Time map[string]json.RawMessage `json:"time"`
	}
	if err := json.NewDecoder(r).Decode(&in); err != nil {
		return nil, err
	}
	if len(in.Time) > maxListed {
		return nil, errTooMany
	}
	out := make(map[string]time.Time, len(in.Time))
	for version, raw := range in.Time {
		// "unpublished" holds an object.
		var text string
		if json.Unmarshal(raw, &text) != nil {
			continue
		}
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			out[version] = at
		}
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
		if at, err := time.Parse(time.RFC3339, in.Published); err == nil {
			out[in.Version] = at
		}
		if len(out) > maxListed {
			return nil, errTooMany
		}
	}
	return out, lines.Err()
}
