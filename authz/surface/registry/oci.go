package registry

import (
	"slices"
	"strings"
)

// readOCI reads the pull side of the distribution specification.
func readOCI(s []string) Request {
	if s[0] != "v2" {
		if s[len(s)-1] == "token" || s[0] == "auth" {
			return Request{Operation: Login}
		}
		return Request{}
	}
	s = s[1:]
	n := len(s)
	switch {
	case n == 0 || n == 1 && s[0] == "":
		return Request{Operation: Index}
	case n == 1 && s[0] == "_catalog":
		return Request{Operation: Search}
	case n == 1 && s[0] == "token":
		return Request{Operation: Login}
	case n < 3:
		return Request{}
	}
	name, ok := repository(s[:n-2])
	if !ok {
		return Request{}
	}
	return readReference(name, s[n-2], s[n-1])
}

// readReference reads KIND/REFERENCE of a repository.
func readReference(name, kind, ref string) Request {
	digest := isDigest(ref)
	switch {
	case kind == "tags" && ref == "list":
		return Request{Operation: Metadata, Name: name}
	case kind == "referrers" && digest:
		return Request{Operation: Metadata, Name: name, Digest: ref, Pinned: true}
	case (kind == "manifests" || kind == "blobs") && digest:
		return Request{Operation: Artifact, Name: name, Digest: ref, Pinned: true}
	case kind == "manifests" && tag(ref):
		return Request{Operation: Artifact, Name: name, Version: ref}
	}
	return Request{}
}

// repository is a name of the specification's grammar. One with a word among
// its components that ends a name could be read in two ways.
func repository(s []string) (string, bool) {
	for _, c := range s {
		if !component(c) || slices.Contains([]string{"blobs", "manifests", "referrers", "tags", "uploads"}, c) {
			return "", false
		}
	}
	name := strings.Join(s, "/")
	return name, len(name) <= 255
}

// component is letters and digits, joined by a dot, one or two underscores, or
// hyphens.
func component(s string) bool {
	if !madeLower(s, "-._") || !alphanumeric(s[0]) || !alphanumeric(s[len(s)-1]) {
		return false
	}
	for i := 1; i < len(s); i++ {
		if alphanumeric(s[i]) {
			continue
		}
		j := i
		for j < len(s) && !alphanumeric(s[j]) {
			j++
		}
		joint := s[i:j]
		if joint != "." && joint != "_" && joint != "__" && strings.Trim(joint, "-") != "" {
			return false
		}
		i = j
	}
	return true
}

func tag(s string) bool {
	return len(s) <= 128 && made(s, "-._") && s[0] != '.' && s[0] != '-'
}

func isDigest(s string) bool {
	algorithm, hex, _ := strings.Cut(s, ":")
	return algorithm == "sha256" && hexOf(hex, 64) || algorithm == "sha512" && hexOf(hex, 128)
}
