package source

import (
	"cmp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// DefaultNamespace is where an object lands that names no namespace.
const DefaultNamespace = "default"

// Ref names one object. The version is not part of it. Namespace is empty for
// kinds of the cluster; Group is empty for the core group.
type Ref struct {
	Group, Kind, Namespace, Name string
}

// String is KIND/NAMESPACE/NAME, or KIND/NAME without a namespace. Parts that
// are not known are left out from the right.
func (r Ref) String() string {
	s := r.Kind
	for _, part := range []string{r.Namespace, r.Name} {
		if part != "" {
			s += "/" + part
		}
	}
	return s
}

// Compare orders by group, kind, namespace and name.
func (r Ref) Compare(o Ref) int {
	return cmp.Or(
		cmp.Compare(r.Group, o.Group),
		cmp.Compare(r.Kind, o.Kind),
		cmp.Compare(r.Namespace, o.Namespace),
		cmp.Compare(r.Name, o.Name),
	)
}

// Typed is a Kubernetes object with its metadata.
type Typed interface {
	metav1.Object
	runtime.Object
}

// Object is one object of the set.
type Object struct {
	Ref Ref
	// Value is of the Go type of its Kind, defaults filled in, status empty,
	// generation 1. It must not be changed.
	Value Typed
	// Origin is where it was written; zero when it is not from a file.
	Origin Origin
	// Hash is over the content of Value, in hex. Two objects of one Ref and
	// one Hash are equal, and share Value when they come from one source.
	Hash string
	// Broken is nil for a good object. Only what closes something is ever
	// delivered broken, when it cannot be accepted and has no last good version:
	// an AccessPolicy, which must deny whatever it guards, an XBackend and a
	// Credential, whose destination must stay closed, and a Quarantine, which
	// must cut off whatever it names.
	Broken *Breakage
}

// Origin is the place of an object.
type Origin struct {
	// File is the path as the user gave it, or below the folder that was
	// given.
	File string
	// Line is that of the document's first line with content, Document its
	// number in the file; both from 1.
	Line, Document int
}

// Breakage is why an AccessPolicy is delivered broken, and what is not known
// of it. What is not known must be taken at its widest.
type Breakage struct {
	// Reason is for a person, without a place.
	Reason string
	// NamespaceUnknown: the object may belong to any namespace. Then the Ref
	// has DefaultNamespace.
	NamespaceUnknown bool
	// NameUnknown: the Ref has a name that was made up. It always has where the
	// namespace is unknown.
	NameUnknown bool
	// TargetsUnknown: an AccessPolicy's targetRefs may be incomplete, and it may
	// guard anything that one of its namespace can. A Credential may be for any
	// backend of its namespace. What is missing of an XBackend or a Quarantine is
	// empty in Value: any port, any type, anybody, every trust domain, no end.
	TargetsUnknown bool
}
