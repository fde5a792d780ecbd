package registry

import (
	"slices"
	"strings"
)

// readGo reads the GOPROXY protocol, and the checksum database that a proxy may
// hand through.
func readGo(s []string) Request {
	if s[0] == "sumdb" {
		return readSumDB(s[1:])
	}
	if n := len(s); s[n-1] == "@latest" {
		return goModule(Metadata, s[:n-1], "")
	}
	i := slices.Index(s, "@v")
	if i < 1 || i != len(s)-2 {
		return Request{}
	}
	file := s[i+1]
	if file == "list" {
		return goModule(Metadata, s[:i], "")
	}
	dot := strings.LastIndexByte(file, '.')
	if dot < 1 {
		return Request{}
	}
	switch version := file[:dot]; file[dot:] {
	case ".info", ".mod":
		return goModule(Metadata, s[:i], version)
	case ".zip":
		if strings.HasPrefix(version, "v") && versionLike(version[1:]) {
			return goModule(Artifact, s[:i], version)
		}
	}
	return Request{}
}

func goModule(operation string, path []string, version string) Request {
	name, ok := modulePath(path)
	if version != "" {
		var plain bool
		version, plain = unescape(version)
		ok = ok && plain && made(version, "-.+_~")
	}
	if !ok {
		return Request{}
	}
	return Request{Operation: operation, Name: name, Version: version}
}

// readSumDB reads DATABASE/supported, latest, tile/... and lookup/MODULE@VERSION.
func readSumDB(s []string) Request {
	if len(s) < 2 || !domain(s[0]) {
		return Request{}
	}
	switch s[1] {
	case "supported", "latest":
		if len(s) == 2 {
			return Request{Operation: Index}
		}
	case "tile":
		if tile(s[2:]) {
			return Request{Operation: Index}
		}
	case "lookup":
		module, version, ok := strings.Cut(strings.Join(s[2:], "/"), "@")
		if ok && version != "" {
			return goModule(Metadata, strings.Split(module, "/"), version)
		}
	}
	return Request{}
}

// tile reads HEIGHT/LEVEL/NUMBER, with data for a LEVEL, or .p/WIDTH behind what
// is not whole. It is of digits alone: it carries nothing.
func tile(s []string) bool {
	if len(s) < 3 || len(s) > maxTile {
		return false
	}
	for i, x := range s {
		if i == len(s)-2 {
			x = strings.TrimSuffix(x, ".p")
		}
		x = strings.TrimPrefix(x, "x")
		number := x != "" && len(x) <= 3 && strings.Trim(x, "0123456789") == ""
		if !number && (i != 1 || x != "data") {
			return false
		}
	}
	return true
}

// maxTile is how many segments a tile has at most: its number has one for each
// three digits.
const maxTile = 10

// modulePath undoes the escape of capitals, which keeps paths apart where
// files are not: an exclamation mark and the letter in lower case.
func modulePath(s []string) (string, bool) {
	for i, element := range s {
		if !made(element, "-._~!") || element[0] == '.' || element[len(element)-1] == '.' || i == 0 && !domain(element) {
			return "", false
		}
	}
	name, ok := unescape(strings.Join(s, "/"))
	return name, ok && name != "" && len(name) <= 512
}

// domain is a module's first element: a host's name.
func domain(s string) bool {
	return madeLower(s, "-.") && strings.Contains(s, ".") && s[0] != '-' && s[0] != '.'
}

func unescape(s string) (string, bool) {
	if hasUpper(s) {
		return "", false
	}
	if strings.IndexByte(s, '!') < 0 {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '!' {
			i++
			if i == len(s) || !letter(s[i]) {
				return "", false
			}
			c = s[i] - 'a' + 'A'
		}
		b.WriteByte(c)
	}
	return b.String(), true
}
