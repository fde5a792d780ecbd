package v1alpha1

// Values of a Service port's appProtocol, and of AnnotationAppProtocol, for
// package registries.
const (
	AppProtocolPyPI        = "hopgate.dev/pypi"
	AppProtocolNPM         = "hopgate.dev/npm"
	AppProtocolGo          = "hopgate.dev/go"
	AppProtocolCargo       = "hopgate.dev/cargo"
	AppProtocolDebian      = "hopgate.dev/deb"
	AppProtocolOCI         = "hopgate.dev/oci"
	AppProtocolHuggingFace = "hopgate.dev/hf"
)

const (
	// AnnotationRegistryPath says where in its host's paths the registry of an
	// XBackend begins: /artifactory/api/pypi/curated.
	AnnotationRegistryPath = "hopgate.dev/registry-path"
	// AnnotationRegistryFiles names the XBackends of the same namespace, apart by
	// commas, from which the registry of an XBackend has its files handed out.
	AnnotationRegistryFiles = "hopgate.dev/registry-files"
)
