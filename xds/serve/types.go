package serve

import "strings"

// The types that are served, by their URLs.
const (
	TypeCluster  = typePrefix + "envoy.config.cluster.v3.Cluster"
	TypeEndpoint = typePrefix + "envoy.config.endpoint.v3.ClusterLoadAssignment"
	TypeSecret   = typePrefix + "envoy.extensions.transport_sockets.tls.v3.Secret"
	TypeFilter   = typePrefix + "envoy.config.core.v3.TypedExtensionConfig"
	TypeListener = typePrefix + "envoy.config.listener.v3.Listener"
	TypeRoute    = typePrefix + "envoy.config.route.v3.RouteConfiguration"

	typePrefix = "type.googleapis.com/"
)

// rank is the order in which updates of a type are sent: what is referred to
// comes before what refers to it.
func rank(typeURL string) int {
	switch typeURL {
	case TypeCluster:
		return 0
	case TypeEndpoint:
		return 1
	case TypeSecret:
		return 2
	case TypeFilter:
		return 3
	case TypeListener:
		return 4
	case TypeRoute:
		return 5
	default:
		return 6
	}
}

// collective reports whether a client that names nothing in its first request
// of the type wants all of it. For other types such a request asks for nothing.
func collective(typeURL string) bool { return typeURL == TypeCluster || typeURL == TypeListener }

// referrers are the types whose resources may refer to those of a type.
func referrers(typeURL string) []string {
	switch typeURL {
	case TypeCluster:
		return []string{TypeFilter, TypeListener, TypeRoute}
	case TypeEndpoint:
		return []string{TypeCluster}
	case TypeSecret:
		return []string{TypeCluster, TypeFilter, TypeListener}
	case TypeFilter, TypeRoute:
		return []string{TypeListener}
	default:
		return nil
	}
}

func shortType(typeURL string) string {
	return typeURL[strings.LastIndexByte(typeURL, '.')+1:]
}
