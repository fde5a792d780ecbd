package registry

import "strings"

// OneSpelling is a request's path and query with the one encoded slash undone
// that a protocol has: npm asks for /@scope%2fname, and its registries take
// /@scope/name for the same. All else is left as it is.
func OneSpelling(protocol, target string) string {
	if protocol != NPM {
		return target
	}
	path, query, more := strings.Cut(target, "?")
	i := strings.LastIndexByte(path, '%')
	if i < 0 || len(path) < i+3 || !strings.EqualFold(path[i:i+3], "%2f") {
		return target
	}
	j := strings.LastIndexByte(path[:i], '/')
	if j < 0 || !scope(strings.Replace(path[j+1:i], "%40", "@", 1)) {
		return target
	}
	path = path[:i] + "/" + path[i+3:]
	if more {
		path += "?" + query
	}
	return path
}

// readNPM reads /NAME, /NAME/VERSION and /NAME/-/FILE.tgz.
func readNPM(s []string) Request {
	if s[0] == "-" {
		return readNPMOwn(s[1:])
	}
	name, s, ok := npmName(s)
	switch {
	case !ok:
		return Request{}
	case len(s) == 0:
		return Request{Operation: Metadata, Name: name}
	case len(s) == 1 && npmVersion(s[0]):
		return Request{Operation: Metadata, Name: name, Version: s[0]}
	case s[0] == "-":
		return tarball(name, strings.Join(s[1:], "/"))
	}
	return Request{}
}

// readNPMOwn reads what is not below a package's name.
func readNPMOwn(s []string) Request {
	switch strings.Join(s, "/") {
	case "ping", "npm/v1/keys":
		return Request{Operation: Index}
	case "v1/search", "all":
		return Request{Operation: Search}
	case "whoami", "npm/v1/user", "npm/v1/tokens":
		return Request{Operation: Login}
	}
	if len(s) < 3 || s[0] != "package" {
		return Request{}
	}
	if name, rest, ok := npmName(s[1:]); ok && len(rest) == 1 && rest[0] == "dist-tags" {
		return Request{Operation: Metadata, Name: name}
	}
	return Request{}
}

// npmName reads a name, of one segment or of two, and gives what follows.
func npmName(s []string) (name string, rest []string, ok bool) {
	if scope(s[0]) {
		if len(s) < 2 || !npmPart(s[1]) {
			return "", nil, false
		}
		return s[0] + "/" + s[1], s[2:], true
	}
	return s[0], s[1:], npmPart(s[0])
}

func scope(s string) bool { return strings.HasPrefix(s, "@") && npmPart(s[1:]) }

// npmPart is a name without its scope. Old ones have capitals, which count.
func npmPart(s string) bool {
	return len(s) <= 214 && made(s, "-._~") && s[0] != '.' && s[0] != '_' && s[0] != '-'
}

func npmVersion(s string) bool { return len(s) <= 256 && made(s, "-.+") && s[0] != '-' && s[0] != '.' }

// tarball reads a file's name, which begins with the package's, with or without
// its scope.
func tarball(name, file string) Request {
	stem, ok := strings.CutSuffix(file, ".tgz")
	if !ok {
		return Request{}
	}
	version, ok := strings.CutPrefix(stem, name+"-")
	if !ok {
		version, ok = strings.CutPrefix(stem, name[strings.IndexByte(name, '/')+1:]+"-")
	}
	if !ok || !versionLike(version) || !npmVersion(version) {
		return Request{}
	}
	return Request{Operation: Artifact, Name: name, Version: version, File: file}
}
