package registry

import "strings"

// readCargo reads the sparse index, downloads, and the registry's web API.
func readCargo(s []string) Request {
	switch {
	case len(s) == 1 && s[0] == "config.json":
		return Request{Operation: Index}
	case s[0] == "api" && len(s) > 2 && s[1] == "v1" && s[2] == "crates":
		return readCrates(s[3:])
	case s[0] == "crates":
		return readCrateFile(s[1:])
	case s[0] == "me":
		return Request{Operation: Login}
	}
	return readSparse(s)
}

// readCrates reads what is behind /api/v1/crates.
func readCrates(s []string) Request {
	switch {
	case len(s) == 0 || len(s) == 1 && s[0] == "":
		return Request{Operation: Search}
	case !crate(s[0]):
	case len(s) == 1:
		return Request{Operation: Metadata, Name: strings.ToLower(s[0])}
	case len(s) == 2 && crateVersion(s[1]):
		return Request{Operation: Metadata, Name: strings.ToLower(s[0]), Version: s[1]}
	case len(s) == 3 && crateVersion(s[1]) && s[2] == "download":
		return Request{Operation: Artifact, Name: strings.ToLower(s[0]), Version: s[1]}
	}
	return Request{}
}

// readCrateFile reads /crates/NAME/NAME-VERSION.crate and
// /crates/NAME/VERSION/download.
func readCrateFile(s []string) Request {
	if len(s) == 3 {
		return readCrates(s)
	}
	if len(s) != 2 || !crate(s[0]) {
		return Request{}
	}
	version, ok := strings.CutPrefix(s[1], s[0]+"-")
	version, isCrate := strings.CutSuffix(version, ".crate")
	if !ok || !isCrate || !crateVersion(version) {
		return Request{}
	}
	return Request{Operation: Artifact, Name: strings.ToLower(s[0]), Version: version, File: s[1]}
}

// readSparse reads a path of the index, whose folders are made of the name.
func readSparse(s []string) Request {
	name := s[len(s)-1]
	if !crate(name) || hasUpper(name) || strings.Join(s, "/") != SparsePath(name) {
		return Request{}
	}
	return Request{Operation: Metadata, Name: name}
}

// SparsePath is where the index has a crate of this canonical name.
func SparsePath(name string) string {
	switch len(name) {
	case 0:
		return ""
	case 1, 2:
		return string(rune('0'+len(name))) + "/" + name
	case 3:
		return "3/" + name[:1] + "/" + name
	}
	return name[:2] + "/" + name[2:4] + "/" + name
}

func crate(s string) bool { return len(s) <= 64 && made(s, "-_") && letter(s[0]) }

func crateVersion(s string) bool { return len(s) <= 128 && made(s, "-.+") && versionLike(s) }
