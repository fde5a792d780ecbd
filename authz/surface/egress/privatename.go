package egress

import "strings"

// NameClass is what kind of name a host is. The words are stable.
type NameClass string

const (
	// NamePublic may be asked of resolvers.
	NamePublic NameClass = "public"
	// NameSingle: one label, which search lists and local files complete.
	NameSingle NameClass = "single-label"
	// NameLocal: this machine or its network.
	NameLocal NameClass = "local"
	// NameSpecial: reserved for something that is not the public DNS.
	NameSpecial NameClass = "special-use"
	// NameCluster: a cluster's own names.
	NameCluster NameClass = "cluster"
	// NameMetadata: a cloud's metadata service.
	NameMetadata NameClass = "metadata"
)

// metadataNames lead to metadata services without being of a private zone.
var metadataNames = [...]string{
	"metadata.google.internal", "metadata.goog", "metadata.azure.internal", "metadata.tencentyun.com",
	"metadata.platformequinix.com", "metadata.packet.net",
}

// ClassifyName says of what kind a canonical name is. All but NamePublic are
// never looked up: asking for them already tells others what runs here, and
// what answers is not what the name says to a reader of a rule.
func ClassifyName(name string) NameClass {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		if name == "localhost" {
			return NameLocal
		}
		return NameSingle
	}
	for _, m := range metadataNames {
		if below(name, m) {
			return NameMetadata
		}
	}
	switch name[i+1:] {
	case "local":
		if below(name, "cluster.local") {
			return NameCluster
		}
		return NameLocal
	case "localhost", "localdomain", "internal":
		return NameLocal
	case "svc", "default", "kube-system", "kube-public", "kube-node-lease":
		// SERVICE.NAMESPACE, of the namespaces that every cluster has: search
		// lists complete it.
		return NameCluster
	case "arpa": // RFC 3172: infrastructure, home.arpa (RFC 8375) among it
		return NameSpecial
	case "test", "invalid": // RFC 6761; example stays open, as its names do not exist
		return NameSpecial
	case "onion", "alt": // RFC 7686, RFC 9476
		return NameSpecial
	}
	return NamePublic
}

// below reports whether name is zone or a name in it.
func below(name, zone string) bool {
	return name == zone || len(name) > len(zone) && strings.HasSuffix(name, zone) && name[len(name)-len(zone)-1] == '.'
}
