package feedv1

// Registry is an XBackend that is a package registry.
type Registry struct {
	// Ref is KIND/NAMESPACE/NAME.
	Ref string `json:"ref"`
	// Protocol is pypi, npm, go, cargo, deb, oci or hf.
	Protocol string `json:"protocol"`
	Hostname string `json:"hostname"`
	Port     uint16 `json:"port"`
	// Path is where the registry begins in its host's paths, without a slash at
	// its end.
	Path string `json:"path,omitempty"`
	// TLS is how its server is verified; nil: it speaks no TLS.
	TLS *RegistryTLS `json:"tls,omitempty"`
	// Files are the backends that hand out its files, KIND/NAMESPACE/NAME.
	Files []string `json:"files,omitempty"`
}

// RegistryTLS is how a registry's server is verified.
type RegistryTLS struct {
	ServerName string `json:"serverName"`
	// SANs are names of which the certificate must have one, in the place of the
	// server's; none: the server's.
	SANs []string `json:"sans,omitempty"`
	// CA is PEM certificates; empty: the system's.
	CA string `json:"ca,omitempty"`
}
