package translate

import (
	"strings"

	gatewayxv1alpha1 "sigs.k8s.io/gateway-api/apisx/v1alpha1"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/source"
)

// registryOf reads an app protocol of a package registry.
func registryOf(appProtocol string) (surface, bool) {
	switch appProtocol {
	case v1alpha1.AppProtocolPyPI, v1alpha1.AppProtocolNPM, v1alpha1.AppProtocolGo, v1alpha1.AppProtocolCargo,
		v1alpha1.AppProtocolDebian, v1alpha1.AppProtocolOCI, v1alpha1.AppProtocolHuggingFace:
		return surface{v1alpha1.SurfacePackages, strings.TrimPrefix(appProtocol, v1alpha1.Group+"/")}, true
	}
	return surface{}, false
}

// registryPlace is what an XBackend says of the registry that it is.
type registryPlace struct {
	// Path is where it begins, without a slash at its end.
	Path string
	// Files are names of XBackends that it has files handed out by, sorted.
	Files []string
}

// readRegistry reads the annotations of a registry.
func (x *externalBackend) readRegistry(v *gatewayxv1alpha1.XBackend) error {
	path, hasPath := v.Annotations[v1alpha1.AnnotationRegistryPath]
	files, hasFiles := v.Annotations[v1alpha1.AnnotationRegistryFiles]
	if (hasPath || hasFiles) && x.Surface.Type != v1alpha1.SurfacePackages {
		return reject(reasonInvalid, "metadata.annotations: %s and %s are of registries, and %s says of none", v1alpha1.AnnotationRegistryPath, v1alpha1.AnnotationRegistryFiles, v1alpha1.AnnotationAppProtocol)
	}
	if hasPath && !registryPath(path) {
		return reject(reasonInvalid, "metadata.annotations[%s]: %s is no path: it begins with a slash, ends without, and has plain segments", v1alpha1.AnnotationRegistryPath, quote(path))
	}
	x.Registry.Path = path
	if !hasFiles {
		return nil
	}
	for name := range strings.SplitSeq(files, ",") {
		if name = strings.TrimSpace(name); !plainName(name) || name == v.Name {
			return reject(reasonInvalid, "metadata.annotations[%s]: %s is no name of another XBackend", v1alpha1.AnnotationRegistryFiles, quote(name))
		}
		x.Registry.Files = addOnce(x.Registry.Files, name)
	}
	return nil
}

const maxRegistryPath = 256

func registryPath(s string) bool {
	if len(s) > maxRegistryPath || !strings.HasPrefix(s, "/") {
		return false
	}
	for segment := range strings.SplitSeq(s[1:], "/") {
		if segment == "" || segment == "." || segment == ".." || strings.ContainsFunc(segment, notPlain) {
			return false
		}
	}
	return true
}

func notPlain(r rune) bool {
	letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	return !letter && (r < '0' || r > '9') && !strings.ContainsRune("-._~", r)
}

// putRegistry tells guards of a registry: where its index is, which says when a
// release was published.
func (r *reader) putRegistry(ref source.Ref, x *externalBackend) {
	if x.Surface.Type != v1alpha1.SurfacePackages {
		return
	}
	out := feedv1.Registry{
		Ref: backendName(ref), Protocol: x.Surface.Provider, Hostname: x.Hostname, Port: x.Port, Path: x.Registry.Path,
	}
	if x.TLS != nil {
		out.TLS = &feedv1.RegistryTLS{ServerName: x.TLS.ServerName, SANs: x.TLS.SANs, CA: string(x.TLS.CA)}
	}
	for _, name := range x.Registry.Files {
		out.Files = append(out.Files, backendName(refOf(kindXBackend, ref.Namespace, name)))
	}
	r.run.Put(&r.t.registries, out.Ref, seal(out))
}

// openRegistries are those of the feed; nil: there are none.
func (s *sinks) openRegistries(write func([]byte) (int, error)) []feedv1.Registry {
	list := s.registries.Values()
	if len(list) == 0 {
		return nil
	}
	return open(write, "registries", list)
}

// inspectable says whether what verifies tunnels that are inspected verifies
// an XBackend too: by the system's roots and its own name.
func (x *externalBackend) inspectable() bool {
	if x.Surface.Type != v1alpha1.SurfacePackages {
		return false
	}
	t := x.TLS
	return t == nil || t.CA == nil && len(t.SANs) == 0 && t.ServerName == x.Hostname
}

// packagesPath refuses to rewrite a path that is read: what is judged is what
// is sent on.
func (d *ruleDraft) packagesPath() error {
	if d.surface.Type != v1alpha1.SurfacePackages || d.rewrite == nil || !d.rewrite.SetPath {
		return nil
	}
	return unsupported("filters: the path of a request to a registry cannot be rewritten: give it a host name of its own")
}
