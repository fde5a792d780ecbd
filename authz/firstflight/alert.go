package firstflight

import (
	"errors"

	"github.com/hopgate/hopgate/authz/surface/clienthello"
)

// Descriptions of alerts (RFC 8446 section 6.2).
const (
	alertIllegalParameter = 47
	alertAccessDenied     = 49
	alertDecodeError      = 50
	alertProtocolVersion  = 70
)

// alertOf is what a client is told whose TLS is refused.
func alertOf(h clienthello.Hello, err error) byte {
	switch {
	case errors.Is(err, clienthello.ErrChanged):
		return alertIllegalParameter
	case err != nil:
		return alertDecodeError
	case h.Version < clienthello.VersionTLS12:
		return alertProtocolVersion
	default:
		return alertAccessDenied
	}
}

// fatal is the record of an alert, in the version that every client takes
// before one is chosen.
func fatal(description byte) []byte { return []byte{21, 3, 1, 0, 2, 2, description} }
