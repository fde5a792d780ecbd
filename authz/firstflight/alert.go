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

// Minor versions of a record (RFC 8446 section 5.1): that which every client takes
// before a server has answered, and that of all that follows.
const (
	minorFirst = 1
	minorLater = 3
)

// fatal is the record of an alert.
func fatal(minor, description byte) []byte { return []byte{21, 3, minor, 0, 2, 2, description} }
