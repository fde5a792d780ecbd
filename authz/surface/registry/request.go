package registry

import (
	"net/http"
	"slices"
	"strings"

	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// Protocols, as wire.Target.Provider names them.
const (
	PyPI        = "pypi"
	NPM         = "npm"
	Go          = "go"
	Cargo       = "cargo"
	Debian      = "deb"
	OCI         = "oci"
	HuggingFace = "hf"
)

// Protocols are all that are known.
func Protocols() []string { return []string{Cargo, Debian, Go, HuggingFace, NPM, OCI, PyPI} }

// Operations. The first three only read, and rules can allow them; the others
// are closed, whatever rules say.
const (
	// Index is what a client needs to speak with the registry at all, and
	// names no package.
	Index = "index"
	// Metadata is of one package: its versions, what it depends on.
	Metadata = "metadata"
	// Artifact is a file that is installed or run.
	Artifact = "artifact"

	// Search is a search, or a list of all packages.
	Search = "search"
	// Publish changes what the registry has.
	Publish = "publish"
	// Login gets or shows a credential.
	Login = "login"
	// Other is all that is not known here.
	Other = "other"
)

// Open reports whether rules can allow an operation.
func Open(operation string) bool {
	return operation == Index || operation == Metadata || operation == Artifact
}

// Input is one HTTP request.
type Input struct {
	// Protocol is one of Protocols.
	Protocol string
	Method   string
	// Path is canonical, without the query; Query is what follows the question
	// mark.
	Path, Query string
	// Root is where in the host's paths the registry begins, without a slash at
	// its end; empty: at the top.
	Root string
	// Body is true where there is a body.
	Body bool
}

// Request is a request that was read.
type Request struct {
	Operation string
	// Name is the package, canonical; empty where the operation has none.
	Name string
	// Version is what is asked for, as the protocol writes it: a version, a tag,
	// a revision; empty where there is none.
	Version string
	// File is the name of a file, where the protocol has files by name.
	File string
	// Digest is what the answer must have; empty where nothing says so.
	Digest string
	// Pinned: what is asked for can never be something else.
	Pinned bool
}

// Action is r in the terms of rules; the destination is left empty.
func (r *Request) Action(in Input) surface.Action {
	return surface.Action{
		Kind: v1alpha1.SurfacePackages, Method: r.Operation, Name: r.Name, Path: in.Path,
		Package: surface.Package{Version: r.Version, File: r.File, Pinned: r.Pinned},
	}
}

// Read reads in. The error is a *surface.Unreadable. Strings of the result are
// parts of in, where they are spelled so there.
func Read(in Input) (Request, error) {
	if in.Body && reads(in.Method) {
		return Request{}, surface.Refuse(surface.ReasonBody)
	}
	s, ok := below(in.Path, in.Root)
	if !ok {
		return Request{Operation: Other}, nil
	}
	if !reads(in.Method) {
		return Request{Operation: written(in.Protocol, in.Method, s)}, nil
	}
	r := read(in.Protocol, s)
	if r.Operation == "" {
		r = Request{Operation: Other}
	}
	if Open(r.Operation) && inHubCache(in.Protocol, s) {
		return r, checkHubCacheQuery(in.Query, s)
	}
	if Open(r.Operation) {
		return r, checkQuery(in.Query, parameters(in.Protocol, &r))
	}
	return r, nil
}

// reads reports whether a method reads alone (RFC 9110 section 9.2.1).
func reads(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// below is the segments of a path behind root; false: it is not below it. A
// segment that is still encoded is none of a registry.
func below(path, root string) ([]string, bool) {
	rest, ok := strings.CutPrefix(path, root)
	if !ok || rest == "" || rest[0] != '/' || strings.ContainsAny(rest, "%") {
		return nil, false
	}
	return strings.Split(rest[1:], "/"), true
}

func read(protocol string, s []string) Request {
	switch protocol {
	case PyPI:
		return readPyPI(s)
	case NPM:
		return readNPM(s)
	case Go:
		return readGo(s)
	case Cargo:
		return readCargo(s)
	case Debian:
		return readDebian(s)
	case OCI:
		return readOCI(s)
	case HuggingFace:
		return readHuggingFace(s)
	}
	return Request{}
}

// written says what a request is that does not only read. It is closed in any
// case: this is for who reads the record.
func written(protocol, method string, s []string) string {
	switch method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return Other
	}
	at := func(i int, text string) bool { return i < len(s) && s[i] == text }
	switch {
	case protocol == NPM && at(0, "-"):
		if at(1, "user") || at(1, "v1") && at(2, "login") || at(1, "npm") && at(3, "tokens") {
			return Login
		}
		if !at(1, "package") {
			return Other
		}
	case protocol == OCI && !at(0, "v2"), protocol == HuggingFace && len(s) > 1 && at(0, "api") && (s[1] == "login" || s[1] == "token"):
		return Login
	case protocol == Debian, protocol == Go:
		return Other
	}
	return Publish
}

// parameters are the names that a query may have, for what is asked for.
func parameters(protocol string, r *Request) []string {
	switch {
	case protocol == PyPI && r.Operation == Metadata:
		return []string{"format"}
	case protocol == OCI && r.Operation == Metadata:
		return []string{"artifactType", "last", "n"}
	case protocol == HuggingFace && r.Operation == Metadata:
		return []string{"blobs", "cursor", "expand", "limit", "recursive", "securityStatus"}
	case protocol == HuggingFace && r.Operation == Artifact:
		return []string{"download"}
	}
	return nil
}

const maxQuery = 1024

// checkQuery refuses parameters that are not known, or there twice: a registry
// may let one decide.
func checkQuery(query string, known []string) error {
	if query == "" {
		return nil
	}
	if len(query) > maxQuery || strings.Contains(query, ";") {
		return surface.Refuse(surface.ReasonQuery)
	}
	var seen []string
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if !slices.Contains(known, name) || slices.Contains(seen, name) {
			return surface.Refuse(surface.ReasonQuery)
		}
		seen = append(seen, name)
	}
	return nil
}
