package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Version is an Envoy version.
type Version struct{ Major, Minor, Patch int }

func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

// Less reports whether v is older than o.
func (v Version) Less(o Version) bool {
	if v.Major != o.Major {
		return v.Major < o.Major
	}
	if v.Minor != o.Minor {
		return v.Minor < o.Minor
	}
	return v.Patch < o.Patch
}

// Floor is the oldest Envoy that is safe: before it, a CONNECT that is
// decided by ext_authz can crash the proxy (CVE-2026-73547).
func Floor() Version { return Version{1, 39, 3} }

// Wanted is the Envoy that hopgate is tested with.
func Wanted() Version { return Version{1, 40, 0} }

// ErrTooOld means that an Envoy is below the floor.
var ErrTooOld = errors.New("envoy is too old")

// VersionOf asks a binary for its version.
func VersionOf(ctx context.Context, path string) (Version, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return Version{}, fmt.Errorf("ask %s for its version: %w", path, err)
	}
	return parseVersion(out)
}

// parseVersion reads "envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL".
// A suffix such as -dev or -contrib is not part of the number.
func parseVersion(out []byte) (Version, error) {
	_, rest, ok := bytes.Cut(out, []byte("version: "))
	fields := strings.Split(strings.TrimSpace(string(rest)), "/")
	if !ok || len(fields) < 2 {
		return Version{}, errors.New("parse version: this does not look like Envoy")
	}
	number, _, _ := strings.Cut(fields[1], "-")
	var v Version
	if n, err := fmt.Sscanf(number, "%d.%d.%d", &v.Major, &v.Minor, &v.Patch); err != nil || n != 3 {
		return Version{}, fmt.Errorf("parse version %q: want three numbers", number)
	}
	return v, nil
}

// CheckVersion refuses an Envoy below the floor.
func CheckVersion(ctx context.Context, path string) (Version, error) {
	v, err := VersionOf(ctx, path)
	if err != nil {
		return v, err
	}
	if v.Less(Floor()) {
		return v, fmt.Errorf("%w: %s is %s, at least %s is needed", ErrTooOld, path, v, Floor())
	}
	return v, nil
}
