package serve

import (
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Version is a version of Envoy. The zero value is below all others.
type Version struct{ Major, Minor, Patch uint32 }

// String is MAJOR.MINOR.PATCH.
func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

// Less reports whether v comes before o.
func (v Version) Less(o Version) bool {
	switch {
	case v.Major != o.Major:
		return v.Major < o.Major
	case v.Minor != o.Minor:
		return v.Minor < o.Minor
	default:
		return v.Patch < o.Patch
	}
}

// Node is who a client says it is.
type Node struct {
	ID, Cluster string
	// Version is zero when the client did not say.
	Version Version
}

func nodeOf(n *corev3.Node) Node {
	v := n.GetUserAgentBuildVersion().GetVersion()
	return Node{
		ID: n.GetId(), Cluster: n.GetCluster(),
		Version: Version{v.GetMajorNumber(), v.GetMinorNumber(), v.GetPatch()},
	}
}

// admit refuses a node below the floor v, and with a floor one that does not
// say its version. Nothing but a newer Envoy helps, so the status is one that
// says not to try again.
func (v Version) admit(n Node) error {
	switch {
	case !n.Version.Less(v):
		return nil
	case n.Version == Version{}:
		return status.Errorf(codes.FailedPrecondition, "the node does not say its version; %s or newer is needed", v)
	default:
		return status.Errorf(codes.FailedPrecondition, "envoy %s is too old; %s or newer is needed", n.Version, v)
	}
}
