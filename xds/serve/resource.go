package serve

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/hopgate/hopgate/gateway/graph"
)

// Key names one resource: the type URL of its message and its xDS name.
type Key struct{ TypeURL, Name string }

// String is TYPE NAME, with the short name of the type.
func (k Key) String() string { return shortType(k.TypeURL) + " " + k.Name }

func (k Key) compare(o Key) int {
	return cmp.Or(cmp.Compare(rank(k.TypeURL), rank(o.TypeURL)), strings.Compare(k.TypeURL, o.TypeURL), strings.Compare(k.Name, o.Name))
}

// Part is what one owner adds to a resource.
type Part struct {
	Owner graph.Owner
	// Version is a hash of the content: equal versions, equal content.
	Version string
	// Content is for Build alone.
	Content any
}

// Resource is one resource that Envoy is to have. It is not changed after it
// was given to Set, and the same pointer means the same content.
type Resource struct {
	// TypeURL is that of the built message, Name its xDS name.
	TypeURL, Name string
	// Divisible: the resource can be built of any subset of its parts, of none
	// too, and what is not fit of it is left out. Otherwise it has one part.
	Divisible bool
	// Parts are at least one, each of another owner, in any order.
	Parts []Part
	// Build makes the message of the parts, which come sorted by owner. It is
	// pure, keeps nothing of the slice, and depends on nothing but the parts:
	// it is not called again while no part's version changes.
	Build func(parts []Part) (proto.Message, error)
}

func (r *Resource) key() Key { return Key{r.TypeURL, r.Name} }

var errResource = errors.New("malformed resource")

// sortedParts checks r and gives its parts in order.
func (r *Resource) sortedParts() ([]Part, error) {
	if r.TypeURL == "" || r.Name == "" || r.Build == nil || len(r.Parts) == 0 {
		return nil, fmt.Errorf("read resource %q of type %q: %w: type, name, parts and build are needed", r.Name, r.TypeURL, errResource)
	}
	if !r.Divisible && len(r.Parts) != 1 {
		return nil, fmt.Errorf("read %s: %w: %d parts, and not divisible", r.key(), errResource, len(r.Parts))
	}
	parts := r.Parts
	if !slices.IsSortedFunc(parts, compareParts) {
		parts = slices.SortedFunc(slices.Values(parts), compareParts)
	}
	for i := range parts {
		if parts[i].Version == "" {
			return nil, fmt.Errorf("read %s: %w: the part of %s has no version", r.key(), errResource, parts[i].Owner)
		}
		if i > 0 && parts[i].Owner == parts[i-1].Owner {
			return nil, fmt.Errorf("read %s: %w: two parts of %s", r.key(), errResource, parts[i].Owner)
		}
	}
	return parts, nil
}

func compareParts(a, b Part) int { return compareOwners(a.Owner, b.Owner) }

func compareOwners(a, b graph.Owner) int {
	return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
}
