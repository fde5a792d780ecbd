package translate

import (
	"errors"
	"fmt"
	"strings"
)

// rejection is why something is not accepted, as a condition says it.
type rejection struct{ reason, message string }

func (e rejection) Error() string { return e.message }

// reject makes a rejection.
func reject(reason, format string, args ...any) error {
	return rejection{reason, fmt.Sprintf(format, args...)}
}

// rejected takes an error apart: the first reason, and all messages. Every
// error of this package is a rejection; any other would still be a refusal.
func rejected(err error) (reason, message string) {
	message = strings.ReplaceAll(err.Error(), "\n", "; ")
	if r, ok := errors.AsType[rejection](err); ok {
		return r.reason, message
	}
	return reasonInvalid, message
}

// joined adds an error to those before it. The first reason stays; what is
// beyond the length of a condition is left out.
func joined(a, b error) error {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	reason, first := rejected(a)
	if len(first) > maxMessage {
		return a
	}
	_, second := rejected(b)
	return rejection{reason, first + "; " + second}
}

// joinedOnce is joined where b is not among them already.
func joinedOnce(a, b error) error {
	if a != nil {
		_, before := rejected(a)
		_, next := rejected(b)
		if len(before) > maxMessage || strings.Contains(before, next) {
			return a
		}
	}
	return joined(a, b)
}

// Reasons of conditions that Gateway API has no word for.
const (
	reasonInvalid            = "Invalid"
	reasonNotAvailable       = "NotAvailable"
	reasonKeysNotFound       = "KeysNotFound"
	reasonTrustNotFound      = "TrustDomainNotFound"
	reasonAudienceConflict   = "AudienceConflict"
	reasonHostsNotValid      = "HostsNotValid"
	reasonUnprotected        = "Unprotected"
	reasonUnsafeRoute        = "UnsafeRoute"
	reasonEnvoyRefused       = "Refused"
	reasonPartly             = "PartlyProgrammed"
	reasonAnswered           = "Answered"
	reasonTargetNotFound     = "TargetNotFound"
	reasonListenerNotFound   = "ListenerNotFound"
	reasonConflicted         = "Conflicted"
	reasonUnsupportedTLS     = "UnsupportedTLS"
	reasonDestinationClaimed = "DestinationClaimed"
)
