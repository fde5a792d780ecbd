package registry

import "strings"

// Fold is a name, or a glob over names, with all that a registry of the protocol
// takes for the same folded into one: PEP 503 for pypi, case and -_ for cargo,
// case for others. Modules of Go are told apart by case.
func Fold(protocol, name string) string {
	switch protocol {
	case Go:
		return name
	case PyPI:
		return foldPython(name)
	case Cargo:
		return strings.ReplaceAll(strings.ToLower(name), "_", "-")
	}
	return strings.ToLower(name)
}

// canonicalName is a name, or a glob over names, as requests are read to have it.
func canonicalName(protocol, name string) string {
	switch protocol {
	case PyPI:
		return foldPython(name)
	case Cargo, Debian, OCI:
		return strings.ToLower(name)
	}
	return name
}

// foldPython leaves what is no sign between letters as it is: stars too.
func foldPython(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := lower(name[i])
		if c == '_' || c == '.' {
			c = '-'
		}
		if c != '-' || !strings.HasSuffix(b.String(), "-") {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// grammar is what names of a protocol are made of.
type grammar struct {
	signs string
	// least and most are how many segments there are; most 0: any number.
	least, most int
	// whole reports whether a name is one of a package.
	whole func(s []string) bool
	// mend says how names are written.
	mend string
}

func grammars(protocol string) grammar {
	switch protocol {
	case PyPI:
		return grammar{"-._", 1, 1, func(s []string) bool { return projectName(s[0]) }, "as letters and digits, with -._ between them"}
	case NPM:
		return grammar{"-._~@/", 1, 2, wholeNPM, "as NAME or @SCOPE/NAME"}
	case Go:
		return grammar{"-._~/", 1, 0, wholeModule, "as the module's path, its capitals as they are"}
	case Cargo:
		return grammar{"-_", 1, 1, func(s []string) bool { return crate(s[0]) }, "as a letter, and letters, digits, - and _"}
	case Debian:
		return grammar{"-+./", 2, 2, func(s []string) bool { return debianName(s[0]) && debianName(s[1]) }, "as SOURCE/PACKAGE: */NAME where the source does not count"}
	case OCI:
		return grammar{"-._/", 1, 0, func(s []string) bool { _, ok := repository(s); return ok }, "as the repository, without host, tag and digest"}
	}
	return grammar{"-._/", 2, 3, wholeHub, "as models/OWNER/NAME, or with datasets or spaces for models"}
}

func wholeNPM(s []string) bool {
	_, rest, ok := npmName(s)
	return ok && len(rest) == 0
}

func wholeModule(s []string) bool {
	for i, element := range s {
		if !made(element, "-._~") || element[0] == '.' || element[len(element)-1] == '.' || i == 0 && !domain(element) {
			return false
		}
	}
	return true
}

func wholeHub(s []string) bool {
	_, ok := hubName(s[0], s[1:])
	return ok && hubKind(s[0])
}

func hubKind(s string) bool { return s == "models" || s == "datasets" || s == "spaces" }

// Spelling is how a name, or a glob over names, is spelled where requests are
// read; mend is how names are written, where no package has one that it could
// match, however spelled.
func Spelling(protocol, glob string) (canonical, mend string) {
	return canonicalName(protocol, glob), misnamed(protocol, glob)
}

func misnamed(protocol, glob string) string {
	if glob == "*" || glob == "**" {
		return ""
	}
	g := grammars(protocol)
	s := strings.Split(Fold(protocol, glob), "/")
	if !strings.Contains(glob, "*") {
		if len(s) < g.least || g.most > 0 && len(s) > g.most || !g.whole(s) {
			return g.mend
		}
		return ""
	}
	crosses := strings.Contains(glob, "**")
	few, many := len(s) < g.least && !crosses, g.most > 0 && len(s) > g.most
	if few || many || !made(glob, g.signs+"*") || !begins(protocol, s, crosses) {
		return g.mend
	}
	return ""
}

// begins reports whether a glob's first segment can be that of a name.
func begins(protocol string, s []string, crosses bool) bool {
	first := s[0]
	star := strings.Contains(first, "*")
	switch protocol {
	case Go:
		return star || domain(first)
	case HuggingFace:
		return star || hubKind(first)
	case NPM:
		scoped := strings.HasPrefix(first, "@")
		if len(s) == 1 {
			return !scoped || crosses
		}
		return scoped || strings.HasPrefix(first, "*")
	}
	return true
}
