package translate

import (
	"errors"
	"fmt"
)

// rejection is why something is not accepted, as a condition says it.
type rejection struct{ reason, message string }

func (e rejection) Error() string { return e.message }

// reject makes a rejection.
func reject(reason, format string, args ...any) error {
	return rejection{reason, fmt.Sprintf(format, args...)}
}

// rejected takes an error apart. Every error of this package is a rejection;
// any other would still be a refusal.
func rejected(err error) (reason, message string) {
	var r rejection
	if errors.As(err, &r) {
		return r.reason, r.message
	}
	return reasonInvalid, err.Error()
}

// Reasons of conditions that Gateway API has no word for.
const (
	reasonInvalid            = "Invalid"
	reasonKeysNotFound       = "KeysNotFound"
	reasonTrustNotFound      = "TrustDomainNotFound"
	reasonAudienceConflict   = "AudienceConflict"
	reasonHostsNotValid      = "HostsNotValid"
	reasonUnprotected        = "Unprotected"
	reasonUnsafeRoute        = "UnsafeRoute"
	reasonEnvoyRefused       = "Refused"
	reasonPartly             = "PartlyProgrammed"
	reasonTargetNotFound     = "TargetNotFound"
	reasonConflicted         = "Conflicted"
	reasonUnsupportedTLS     = "UnsupportedTLS"
	reasonDestinationClaimed = "DestinationClaimed"
)
