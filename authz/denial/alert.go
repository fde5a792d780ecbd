package denial

import "net/http"

// Alerts that say a denial to a client of TLS (RFC 8446 section 6.2).
const (
	alertAccessDenied     = 49
	alertInternalError    = 80
	alertUnrecognizedName = 112
)

// alert is the answer to a tunnel that was made of captured TLS: there is no
// tunnel, and what is sent into its place is a fatal alert in the clear, which
// is all that a client takes before it has keys. The status has it sent: of any
// other answer the connection would be closed without a word.
func alert(c Code) Answer {
	description := byte(alertAccessDenied)
	switch {
	case c.Name == NameMissing:
		description = alertUnrecognizedName
	case c.Kind == Unavailable:
		description = alertInternalError
	}
	// A record of type alert, version 1.2, two bytes: fatal, and why.
	return Answer{Status: http.StatusOK, Body: []byte{21, 3, 3, 0, 2, 2, description}}
}
