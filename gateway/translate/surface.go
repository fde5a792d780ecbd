package translate

import (
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/graph"
)

// surface is what requests to a backend are read as.
type surface struct {
	Type v1alpha1.SurfaceType
	// Provider is the dialect of Models, the protocol of Packages.
	Provider string
}

func (s surface) String() string {
	if s.Provider == "" {
		return string(s.Type)
	}
	return string(s.Type) + " (" + s.Provider + ")"
}

// plain is the surface of all that does not say.
func plain() surface { return surface{Type: v1alpha1.SurfaceHTTP} }

// surfaceOf reads an app protocol of our own. An unknown one is no plain HTTP:
// it was meant to be read.
func surfaceOf(appProtocol string) (surface, bool) {
	switch appProtocol {
	case v1alpha1.AppProtocolMCP:
		return surface{Type: v1alpha1.SurfaceTools}, true
	case v1alpha1.AppProtocolA2A:
		return surface{Type: v1alpha1.SurfaceAgents}, true
	case v1alpha1.AppProtocolOpenAI:
		return surface{v1alpha1.SurfaceModels, "openai"}, true
	case v1alpha1.AppProtocolAnthropic:
		return surface{v1alpha1.SurfaceModels, "anthropic"}, true
	case v1alpha1.AppProtocolGemini:
		return surface{v1alpha1.SurfaceModels, "gemini"}, true
	case v1alpha1.AppProtocolBedrock:
		return surface{v1alpha1.SurfaceModels, "bedrock"}, true
	default:
		return registryOf(appProtocol)
	}
}

// portSurface reads the appProtocol of a Service port: ours, or those of
// Kubernetes (KEP-3726) that go over cleartext HTTP.
func portSurface(appProtocol *string) (surface, graph.Protocol, bool) {
	if appProtocol == nil {
		return plain(), graph.ProtocolHTTP1, true
	}
	switch *appProtocol {
	case "", "http", "kubernetes.io/ws":
		return plain(), graph.ProtocolHTTP1, true
	case "kubernetes.io/h2c":
		return plain(), graph.ProtocolHTTP2, true
	}
	s, ok := surfaceOf(*appProtocol)
	return s, graph.ProtocolHTTP1, ok
}
