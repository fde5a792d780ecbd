package translate

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Conditions of kinds that have none in Gateway API.
const (
	typeAccepted     = "Accepted"
	typeResolvedRefs = "ResolvedRefs"
	typeProgrammed   = "Programmed"
	typeConflicted   = "Conflicted"
	typePartially    = "PartiallyInvalid"
	// typePartlyRefused says on a Gateway that Envoy refused some of what it
	// serves; all else is served.
	typePartlyRefused = "hopgate.dev/PartlyRefused"
	// typeNames says on a Gateway whether workloads are answered that ask it for
	// names.
	typeNames = "hopgate.dev/NamesAnswered"
	// typeDestination says on an XBackend that a Proxy listener reaches its
	// destination as another XBackend.
	typeDestination = "hopgate.dev/DestinationConflict"
)

// maxMessage is the longest message of a condition, in bytes; Kubernetes takes
// 32 KiB.
const maxMessage = 2048

// conditions collects the conditions of one object. Times are set later.
type conditions struct {
	generation int64
	list       []metav1.Condition
}

func (c *conditions) set(kind string, status metav1.ConditionStatus, reason, message string) {
	if len(message) > maxMessage {
		message = message[:maxMessage] + "..."
	}
	message = strings.ToValidUTF8(message, "?")
	c.list = append(c.list, metav1.Condition{
		Type: kind, Status: status, ObservedGeneration: c.generation, Reason: reason, Message: message,
	})
}

func (c *conditions) yes(kind, reason, message string) {
	c.set(kind, metav1.ConditionTrue, reason, message)
}

func (c *conditions) no(kind, reason, message string) {
	c.set(kind, metav1.ConditionFalse, reason, message)
}

// verdict is True with kind as its reason, or False as err says.
func (c *conditions) verdict(kind string, err error) {
	if err == nil {
		c.yes(kind, kind, "")
		return
	}
	reason, message := rejected(err)
	c.no(kind, reason, message)
}

func (c *conditions) accepted(err error) { c.verdict(typeAccepted, err) }
func (c *conditions) resolved(err error) { c.verdict(typeResolvedRefs, err) }
