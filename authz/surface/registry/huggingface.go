package registry

import "slices"

// readHuggingFace reads the hub's files and its API. A name is KIND/OWNER/NAME,
// with models, datasets or spaces for KIND; old models have no owner.
func readHuggingFace(s []string) Request {
	if s[0] == "api" {
		return readHubAPI(s[1:])
	}
	kind := "models"
	if s[0] == "datasets" || s[0] == "spaces" {
		kind, s = s[0], s[1:]
	}
	for n := 1; n <= 2 && n < len(s); n++ {
		name, ok := hubName(kind, s[:n])
		if ok && (s[n] == "resolve" || s[n] == "raw") && len(s) > n+2 && plainSegments(s[n+1:]) && hubRevision(s[n+1]) {
			return Request{
				Operation: Artifact, Name: name, Version: s[n+1], File: s[len(s)-1], Pinned: hexOf(s[n+1], 40),
			}
		}
	}
	return Request{}
}

// readHubAPI reads KIND/NAME, and revisions and trees of it.
func readHubAPI(s []string) Request {
	switch {
	case len(s) == 0:
		return Request{}
	case s[0] == hubCache:
		return readHubCache(s[1:])
	case s[0] == "whoami-v2" || s[0] == "whoami":
		return Request{Operation: Login}
	case s[0] != "models" && s[0] != "datasets" && s[0] != "spaces":
		return Request{}
	case len(s) == 1 || len(s) == 2 && s[1] == "":
		return Request{Operation: Search}
	}
	kind, s := s[0], s[1:]
	for n := 1; n <= 2 && n <= len(s); n++ {
		name, ok := hubName(kind, s[:n])
		if !ok {
			return Request{}
		}
		rest := s[n:]
		switch {
		case len(rest) == 0:
			return Request{Operation: Metadata, Name: name}
		case rest[0] != "revision" && rest[0] != "tree":
		case len(rest) > 1 && plainSegments(rest) && hubRevision(rest[1]) && (len(rest) == 2 || rest[0] == "tree"):
			return Request{Operation: Metadata, Name: name, Version: rest[1], Pinned: hexOf(rest[1], 40)}
		}
	}
	return Request{}
}

func hubName(kind string, s []string) (string, bool) {
	name := kind
	for _, x := range s {
		if len(x) > 96 || !made(x, "-._") || x[0] == '.' || x[0] == '-' {
			return "", false
		}
		name += "/" + x
	}
	return name, !hubWord(s[0]) && !hubWord(s[len(s)-1])
}

// hubWord reports whether s is one of the hub's own, which nobody's name is.
func hubWord(s string) bool {
	return slices.Contains([]string{"api", "datasets", "raw", "resolve", "revision", "spaces", "tree"}, s)
}

// hubRevision is a branch, a tag or a commit. One like a word of the hub would
// leave two ways to read a path: OWNER/resolve is a name to whoever allows it.
func hubRevision(s string) bool {
	return len(s) <= 128 && made(s, "-._") && s[0] != '.' && s[0] != '-' && !hubWord(s)
}
