package registry

import (
	"net/url"
	"slices"
	"strings"

	"github.com/hopgate/hopgate/authz/surface"
)

// hubCache is where the hub has small files by their commit, behind /api. The
// answer to a file's own path leads there.
const hubCache = "resolve-cache"

// readHubCache reads KIND/OWNER/NAME/COMMIT/FILE. It is a file of that repository
// as any other.
func readHubCache(s []string) Request {
	r, _ := hubCached(s)
	return r
}

// hubCached is what a path in the cache asks for, and the file's own path in its
// repository. A repository that is named like a commit could be read as two, and
// is not read.
func hubCached(s []string) (r Request, file []string) {
	if len(s) < 4 || !hubKind(s[0]) {
		return r, nil
	}
	for n := 2; n <= 3 && n+1 < len(s); n++ {
		name, ok := hubName(s[0], s[1:n])
		switch {
		case !ok || !hexOf(s[n], 40) || !plainSegments(s[n:]):
		case file != nil:
			return Request{}, nil
		default:
			r, file = Request{Operation: Artifact, Name: name, Version: s[n], File: s[len(s)-1], Pinned: true}, s[n+1:]
		}
	}
	return r, file
}

func inHubCache(protocol string, s []string) bool {
	return protocol == HuggingFace && len(s) > 1 && s[0] == "api" && s[1] == hubCache
}

// checkHubCacheQuery takes the query that the hub gives a file in its cache: the
// path that was asked for first, as a parameter without a value, and an etag. The
// path must be of the same file, whichever of the two the hub goes by.
func checkHubCacheQuery(query string, s []string) error {
	refused := surface.Refuse(surface.ReasonQuery)
	if query == "" {
		return nil
	}
	if len(query) > maxQuery || strings.Contains(query, ";") {
		return refused
	}
	var seen []string
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		kind := name
		switch {
		case name == "etag" && hubEtag(value), name == "download":
		case value == "" && sameHubFile(name, s):
			kind = "/"
		default:
			return refused
		}
		if slices.Contains(seen, kind) {
			return refused
		}
		seen = append(seen, kind)
	}
	return nil
}

// hubEtag reports whether s is the digest of a file, quoted.
func hubEtag(s string) bool {
	text, err := url.QueryUnescape(s)
	text = strings.Trim(strings.TrimPrefix(text, "W/"), `"`)
	return err == nil && len(text) <= 64 && hexOf(text, len(text))
}

// sameHubFile reports whether an encoded path is that of the file that s, a path
// in the cache, is of: in the same repository, with the same name.
func sameHubFile(encoded string, s []string) bool {
	path, err := url.PathUnescape(encoded)
	if err != nil {
		return false
	}
	r, file := hubCached(s[2:])
	rest, ok := strings.CutPrefix(path, "/"+strings.TrimPrefix(r.Name, "models/")+"/")
	asked := strings.Split(rest, "/")
	return ok && len(asked) > 2 && (asked[0] == "resolve" || asked[0] == "raw") && asked[1] != "" && hubRevision(asked[1]) && slices.Equal(asked[2:], file)
}
