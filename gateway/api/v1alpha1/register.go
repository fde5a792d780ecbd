package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Group is the API group of every kind in this package.
const Group = "hopgate.dev"

// ControllerName is the GatewayClass controller that hopgate answers to.
const ControllerName = "hopgate.dev/gateway"

// Listener protocols beyond those of Gateway API.
const (
	// ProtocolProxy is an explicit forward proxy: CONNECT and absolute-form.
	ProtocolProxy = "hopgate.dev/Proxy"
	// ProtocolCaptureTLS and ProtocolCaptureHTTP are for connections that were
	// redirected: where to is read from the SNI of TLS, and from Host.
	ProtocolCaptureTLS  = "hopgate.dev/CaptureTLS"
	ProtocolCaptureHTTP = "hopgate.dev/CaptureHTTP"
)

// AnnotationAppProtocol names the surface of an XBackend, which has no
// appProtocol field of its own yet.
const AnnotationAppProtocol = "hopgate.dev/app-protocol"

// Values of a Service port's appProtocol, and of AnnotationAppProtocol.
const (
	AppProtocolMCP       = "hopgate.dev/mcp"
	AppProtocolA2A       = "hopgate.dev/a2a"
	AppProtocolOpenAI    = "hopgate.dev/llm-openai"
	AppProtocolAnthropic = "hopgate.dev/llm-anthropic"
	AppProtocolGemini    = "hopgate.dev/llm-gemini"
	AppProtocolBedrock   = "hopgate.dev/llm-bedrock"
)

// GroupVersion is the version of this package.
func GroupVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: Group, Version: "v1alpha1"}
}

// AddToScheme registers the kinds of this package.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion(),
		&AccessPolicy{}, &AccessPolicyList{},
		&TrustDomain{}, &TrustDomainList{},
		&GatewayConfig{}, &GatewayConfigList{},
		&Credential{}, &CredentialList{},
		&Quarantine{}, &QuarantineList{},
	)
	metav1.AddToGroupVersion(s, GroupVersion())
	return nil
}
