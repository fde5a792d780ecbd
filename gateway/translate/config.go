package translate

import (
	"errors"
	"fmt"
	"net/netip"
	"path"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// Config says how objects are read. It must not be changed after New.
type Config struct {
	// BuiltIn is for a source that nobody else answers for (files): what is
	// needed to start is assumed where it is not given, see Translator.Assumed,
	// and references to nothing get a status too.
	BuiltIn bool
	// LocalKeySet has the keys of the built-in TrustDomain. Needed with BuiltIn.
	LocalKeySet v1alpha1.KeySet
	// LocalAudience is its audience; empty: "local".
	LocalAudience string
	// DefaultAddress is what a Gateway without addresses listens on; zero:
	// 127.0.0.1.
	DefaultAddress netip.Addr
	// Reserved are sockets of our own that no Gateway may have, and that nothing
	// may be sent to: that of health and metrics, for example.
	Reserved []netip.AddrPort
	// LoopbackEndpoints lets an EndpointSlice have loopback addresses.
	LoopbackEndpoints bool
	// Folder is absolute: paths in objects are relative to the file that holds
	// the object, and names of such files to this folder.
	Folder string
	// OnStale is what a GatewayConfig that does not say means: "Deny" or
	// "Report"; empty: "Deny".
	OnStale string
	// AwaitEnvoy is for whoever calls SetOutcome: nothing is Programmed before
	// Envoy took it. Otherwise what is accepted counts as Programmed.
	AwaitEnvoy bool
	// Policies checks the rules of AccessPolicies. Needed: a policy that nobody
	// has checked is not accepted.
	Policies PolicyChecker
	// PackageName is how a package's name, or a glob over names, is spelled where
	// requests of a protocol are read; mend says how names are written, where it
	// can match none. Needed.
	PackageName func(protocol, name string) (canonical, mend string)
}

// PolicyChecker looks for what is wrong with a policy beyond its schema, as far
// as that can be known without other objects. It must be a pure function, and
// must not change the policy.
type PolicyChecker interface {
	CheckPolicy(*v1alpha1.AccessPolicy) []PolicyFinding
}

// PolicyCheckerFunc is a function as a PolicyChecker.
type PolicyCheckerFunc func(*v1alpha1.AccessPolicy) []PolicyFinding

// CheckPolicy calls f.
func (f PolicyCheckerFunc) CheckPolicy(p *v1alpha1.AccessPolicy) []PolicyFinding { return f(p) }

// PolicyFinding is one thing that is wrong with a policy.
type PolicyFinding struct {
	// Field is its path; empty: the policy as a whole.
	Field string
	// Reason is that of the Accepted condition; empty: Invalid.
	Reason string
	// Message is for a person.
	Message string
	// Refused: the policy is not accepted, and denies. Otherwise the finding
	// is a warning.
	Refused bool
}

func (f PolicyFinding) String() string {
	if f.Field == "" {
		return f.Message
	}
	return f.Field + ": " + f.Message
}

// normal fills in what is not given.
func (c Config) normal() (Config, error) {
	if c.Policies == nil {
		return c, errors.New("new translator: no checker of policies")
	}
	if c.PackageName == nil {
		return c, errors.New("new translator: nobody knows names of packages")
	}
	if c.BuiltIn && c.LocalKeySet.Type == "" {
		return c, errors.New("new translator: no key set for the built-in TrustDomain")
	}
	if c.Folder != "" && !path.IsAbs(c.Folder) {
		return c, fmt.Errorf("new translator: folder %q is not absolute", c.Folder)
	}
	if !c.DefaultAddress.IsValid() {
		c.DefaultAddress = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if c.LocalAudience == "" {
		c.LocalAudience = "local"
	}
	switch c.OnStale {
	case "":
		c.OnStale = onStaleDeny
	case onStaleDeny, onStaleReport:
	default:
		return c, fmt.Errorf("new translator: onStale %q is neither Deny nor Report", c.OnStale)
	}
	return c, nil
}

// Values of GatewayConfig's feed.onStale.
const (
	onStaleDeny   = "Deny"
	onStaleReport = "Report"
)
