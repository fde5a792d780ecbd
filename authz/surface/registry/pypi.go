package registry

import "strings"

// readPyPI reads the simple API (PEP 503, 691), the JSON API of PyPI, and
// files. A name in a path must be normalised: a registry would redirect to
// that, or not know it.
func readPyPI(s []string) Request {
	switch {
	case s[0] == "simple":
		return readSimple(closedSlash(s[1:]), len(s))
	case s[0] == "pypi" && s[len(s)-1] == "json":
		return readPyPIJSON(s[1 : len(s)-1])
	case s[0] == "packages" && len(s) <= maxFileDepth && plainSegments(s):
		return distribution(s[len(s)-1])
	case s[0] == "search" || s[0] == "rss":
		return Request{Operation: Search}
	case s[0] == "account" || s[0] == "oidc" || s[0] == "_":
		return Request{Operation: Login}
	}
	return Request{}
}

// maxFileDepth is that of /packages/aa/bb/HASH/FILE, and one folder more.
const maxFileDepth = 6

// readSimple reads what is behind simple: all names, one, or a file beside
// those that its page links to.
func readSimple(s []string, all int) Request {
	switch {
	case all == 1 || len(s) == 1 && s[0] == "":
		return Request{Operation: Search}
	case !normalised(s[0]):
		return Request{}
	case len(s) == 1:
		return Request{Operation: Metadata, Name: s[0]}
	case len(s) == 2 && all == 3:
		if r := distribution(s[1]); r.Name == s[0] {
			return r
		}
	}
	return Request{}
}

func readPyPIJSON(s []string) Request {
	switch {
	case len(s) == 1 && normalised(s[0]):
		return Request{Operation: Metadata, Name: s[0]}
	case len(s) == 2 && normalised(s[0]) && pythonVersion(s[1]):
		return Request{Operation: Metadata, Name: s[0], Version: s[1]}
	}
	return Request{}
}

// distribution reads a file's name: a wheel's (PEP 427), a source
// distribution's (PEP 625, and those before it), or either's metadata (PEP
// 658).
func distribution(file string) Request {
	r := Request{Operation: Artifact, File: file}
	name, isMetadata := strings.CutSuffix(file, ".metadata")
	if isMetadata {
		r.Operation, r.File = Metadata, name
	}
	var project string
	if stem, ok := strings.CutSuffix(name, ".whl"); ok {
		project, r.Version = wheel(stem)
	} else {
		project, r.Version = source(name)
	}
	if !projectName(project) || !pythonVersion(r.Version) {
		return Request{}
	}
	r.Name = normalise(project)
	return r
}

// wheel reads NAME-VERSION(-BUILD)-PYTHON-ABI-PLATFORM: none of them holds a
// hyphen.
func wheel(stem string) (project, version string) {
	p := strings.Split(stem, "-")
	if len(p) != 5 && len(p) != 6 || len(p) == 6 && !versionLike(p[2]) || !plainSegments(p) {
		return "", ""
	}
	return p[0], p[1]
}

// source reads NAME-VERSION.tar.gz or .zip. Names may hold hyphens in old files:
// one after which a version could begin leaves two ways to read it.
func source(file string) (project, version string) {
	stem, ok := strings.CutSuffix(file, ".tar.gz")
	if !ok {
		stem, ok = strings.CutSuffix(file, ".zip")
	}
	i := strings.LastIndexByte(stem, '-')
	if !ok || i < 0 {
		return "", ""
	}
	project, version = stem[:i], stem[i+1:]
	for part := range strings.SplitSeq(project, "-") {
		if versionLike(part) && part != project {
			return "", ""
		}
	}
	return project, version
}

// pythonVersion holds what may stand for a version (PEP 440), in a path.
func pythonVersion(s string) bool { return len(s) <= 128 && versionLike(s) && made(s, ".+!_") }

// projectName is a name as PEP 508 has it, of any case.
func projectName(s string) bool {
	return len(s) <= 128 && made(s, "-._") && alphanumeric(s[0]) && alphanumeric(s[len(s)-1])
}

// normalise is a name as PEP 503 compares it.
func normalise(s string) string {
	if normalised(s) {
		return s
	}
	var b strings.Builder
	between := false
	for i := range len(s) {
		if !alphanumeric(s[i]) {
			between = true
			continue
		}
		if between {
			b.WriteByte('-')
		}
		between = false
		b.WriteByte(lower(s[i]))
	}
	return b.String()
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// normalised reports whether a name is spelled as PEP 503 compares it.
func normalised(s string) bool {
	return projectName(s) && madeLower(s, "-") && !strings.Contains(s, "--")
}
