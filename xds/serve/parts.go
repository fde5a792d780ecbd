package serve

import (
	"slices"

	"github.com/hopgate/hopgate/gateway/graph"
)

// differences are the owners whose part is not the same in both lists, which
// are sorted. What goes comes first: a removal is hardly ever at fault, and
// often urgent.
func differences(want, have []Part) []graph.Owner {
	var gone, other []graph.Owner
	for len(want) > 0 && len(have) > 0 {
		switch c := compareParts(want[0], have[0]); {
		case c < 0:
			other, want = append(other, want[0].Owner), want[1:]
		case c > 0:
			gone, have = append(gone, have[0].Owner), have[1:]
		default:
			if want[0].Version != have[0].Version {
				other = append(other, want[0].Owner)
			}
			want, have = want[1:], have[1:]
		}
	}
	for _, p := range want {
		other = append(other, p.Owner)
	}
	for _, p := range have {
		gone = append(gone, p.Owner)
	}
	return append(gone, other...)
}

// mix takes the parts of the chosen owners from want and all others from have.
func mix(want, have []Part, chosen map[graph.Owner]struct{}) []Part {
	out := make([]Part, 0, len(want)+len(have))
	pick := func(p Part, wanted bool) {
		if _, in := chosen[p.Owner]; in == wanted {
			out = append(out, p)
		}
	}
	for len(want) > 0 || len(have) > 0 {
		switch c := compareHeads(want, have); {
		case c < 0:
			pick(want[0], true)
			want = want[1:]
		case c > 0:
			pick(have[0], false)
			have = have[1:]
		default:
			pick(want[0], true)
			pick(have[0], false)
			want, have = want[1:], have[1:]
		}
	}
	return out
}

// compareHeads compares the first parts; an empty list comes last.
func compareHeads(a, b []Part) int {
	switch {
	case len(b) == 0:
		return -1
	case len(a) == 0:
		return 1
	default:
		return compareParts(a[0], b[0])
	}
}

// versionOf is the version of an owner's part in a sorted list; "": it has none.
func versionOf(parts []Part, o graph.Owner) string {
	i, ok := slices.BinarySearchFunc(parts, o, func(p Part, o graph.Owner) int { return compareOwners(p.Owner, o) })
	if !ok {
		return ""
	}
	return parts[i].Version
}

func equalParts(a, b []Part) bool {
	return slices.EqualFunc(a, b, func(x, y Part) bool { return x.Owner == y.Owner && x.Version == y.Version })
}

func ownerSet(os []graph.Owner) map[graph.Owner]struct{} {
	out := make(map[graph.Owner]struct{}, len(os))
	for _, o := range os {
		out[o] = struct{}{}
	}
	return out
}
