package v1alpha1

// RuleTo is exactly one surface and what may be done on it.
//
// +kubebuilder:validation:XValidation:rule="(self.type == 'Tools') == has(self.tools)",message="tools is needed with type Tools, and only then"
// +kubebuilder:validation:XValidation:rule="(self.type == 'Agents') == has(self.agents)",message="agents is needed with type Agents, and only then"
// +kubebuilder:validation:XValidation:rule="(self.type == 'Models') == has(self.models)",message="models is needed with type Models, and only then"
// +kubebuilder:validation:XValidation:rule="(self.type == 'HTTP') == has(self.http)",message="http is needed with type HTTP, and only then"
// +kubebuilder:validation:XValidation:rule="(self.type == 'Hosts') == has(self.hosts)",message="hosts is needed with type Hosts, and only then"
// +kubebuilder:validation:XValidation:rule="(self.type == 'Packages') == has(self.packages)",message="packages is needed with type Packages, and only then"
type RuleTo struct {
	// +required
	// +kubebuilder:validation:Enum=Tools;Agents;Models;HTTP;Hosts;Packages
	Type SurfaceType `json:"type"`

	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Tools []ToolMatch `json:"tools,omitempty"`
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Agents []AgentCallMatch `json:"agents,omitempty"`
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Models []ModelMatch `json:"models,omitempty"`
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	HTTP []HTTPMatch `json:"http,omitempty"`
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Hosts []HostMatch `json:"hosts,omitempty"`
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Packages []PackageMatch `json:"packages,omitempty"`
}

// SurfaceType names what a hop does, in its protocol's terms.
type SurfaceType string

const (
	SurfaceTools    SurfaceType = "Tools"
	SurfaceAgents   SurfaceType = "Agents"
	SurfaceModels   SurfaceType = "Models"
	SurfaceHTTP     SurfaceType = "HTTP"
	SurfaceHosts    SurfaceType = "Hosts"
	SurfacePackages SurfaceType = "Packages"
)

// BackendReference names one backend object. A backend is a reference, not a
// name: another namespace's object of the same name is another backend.
type BackendReference struct {
	// Kind is XBackend or Service. Empty: XBackend if there is one of that
	// name, else Service.
	//
	// +optional
	// +kubebuilder:validation:Enum=XBackend;Service
	Kind string `json:"kind,omitempty"`
	// Namespace is that of the policy unless given; another one needs a
	// ReferenceGrant there.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// ToolMatch matches MCP requests.
type ToolMatch struct {
	// Servers are the backends; absent: any MCP backend that the policy's
	// target reaches.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Servers []BackendReference `json:"servers,omitempty"`
	// Methods are JSON-RPC methods; absent: tools/call.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	Methods []string `json:"methods,omitempty"`
	// Names are globs over tool or prompt names or resource URIs, by method.
	// Absent: any.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	Names []string `json:"names,omitempty"`
	// Arguments must all hold. On an Allow each element of an array must
	// match; on a Deny or Ask one element is enough, and an argument that is
	// missing or of another type counts as a match: a call that cannot be
	// judged is not let through.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Arguments []ArgumentMatch `json:"arguments,omitempty"`
	// OtherArguments is Deny (the default when arguments is given) or Allow:
	// what an Allow rule says of arguments it does not list.
	//
	// +optional
	// +kubebuilder:validation:Enum=Deny;Allow
	OtherArguments OtherArguments `json:"otherArguments,omitempty"`
}

// OtherArguments says what becomes of arguments that a rule does not list.
type OtherArguments string

const (
	OtherArgumentsDeny  OtherArguments = "Deny"
	OtherArgumentsAllow OtherArguments = "Allow"
)

// ArgumentMatch matches one member of a call's arguments.
//
// +kubebuilder:validation:XValidation:rule="!(self.type in ['Exact','Glob']) || (has(self.values) && size(self.values) > 0)",message="types Exact and Glob need values"
// +kubebuilder:validation:XValidation:rule="self.type != 'Range' || has(self.minimum) || has(self.maximum)",message="type Range needs minimum or maximum"
// +kubebuilder:validation:XValidation:rule="self.type in ['Exact','Glob'] || !has(self.values)",message="values goes with types Exact and Glob"
// +kubebuilder:validation:XValidation:rule="self.type == 'Range' || (!has(self.minimum) && !has(self.maximum))",message="minimum and maximum go with type Range"
type ArgumentMatch struct {
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Name string `json:"name"`
	// Type is Exact (strings, numbers and booleans by their JSON text), Glob
	// (strings), Range (numbers), Present (any value but null) or Absent.
	//
	// +required
	// +kubebuilder:validation:Enum=Exact;Glob;Range;Present;Absent
	Type ArgumentType `json:"type"`
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	Values []string `json:"values,omitempty"`
	// +optional
	Minimum *int64 `json:"minimum,omitempty"`
	// +optional
	Maximum *int64 `json:"maximum,omitempty"`
}

// ArgumentType says how an argument is compared.
type ArgumentType string

const (
	ArgumentExact   ArgumentType = "Exact"
	ArgumentGlob    ArgumentType = "Glob"
	ArgumentRange   ArgumentType = "Range"
	ArgumentPresent ArgumentType = "Present"
	ArgumentAbsent  ArgumentType = "Absent"
)

// AgentCallMatch matches A2A requests.
type AgentCallMatch struct {
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Agents []BackendReference `json:"agents,omitempty"`
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	Methods []string `json:"methods,omitempty"`
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Skills []string `json:"skills,omitempty"`
}

// ModelMatch matches calls to models.
type ModelMatch struct {
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Providers []BackendReference `json:"providers,omitempty"`
	// Names are globs over model names. Absent: any.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Names []string `json:"names,omitempty"`
	// Operations are chat, completion, embedding, response, image, audio,
	// moderation, list. Absent: chat, completion, response.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	Operations []string `json:"operations,omitempty"`
}

// HTTPMatch matches plain or inspected HTTP requests.
type HTTPMatch struct {
	// Hosts are globs over host names; absent: any. *.example.com is one label
	// and not the apex, **.example.com one or more.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Hosts []string `json:"hosts,omitempty"`
	// Ports are the destination's; absent: 80, inspected 443. On a route,
	// absent is any: the route has chosen the backend's.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=65535
	Ports []int32 `json:"ports,omitempty"`
	// Methods are exact; HEAD is not implied by GET. Absent: any.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:Pattern=`^[A-Z]{1,32}$`
	Methods []string `json:"methods,omitempty"`
	// Paths are globs over the path without its query; * stays within a
	// segment, ** crosses. Absent: any.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:Pattern=`^(/|\*$)`
	// +kubebuilder:validation:items:MaxLength=1024
	Paths []string `json:"paths,omitempty"`
	// EncodedSlashes says what an Allow makes of a path that holds %2F. Refuse, and
	// absent: it does not match. Keep: the slash is a part of its segment. A Deny or
	// Ask matches such a path by either reading, whatever this says.
	//
	// +optional
	// +kubebuilder:validation:Enum=Refuse;Keep
	EncodedSlashes EncodedSlashes `json:"encodedSlashes,omitempty"`
	// Headers must all hold: each names whose resources are meant, where a
	// header says so. On an Allow, a header that is missing, there twice, or
	// written so that readers may differ does not match; on a Deny or Ask it
	// counts as a match.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Headers []WordMatch `json:"headers,omitempty"`
	// Query are parameters of the query, as headers are: what servers may read
	// in more than one way never matches an Allow.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Query []WordMatch `json:"query,omitempty"`
}

// HostMatch matches CONNECT and TLS destinations.
type HostMatch struct {
	// Names are host globs, strict IPv4 addresses, IPv6 addresses, or CIDR
	// ranges of either.
	//
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Names []string `json:"names"`
	// Ports default to 443.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=65535
	Ports []int32 `json:"ports,omitempty"`
}
