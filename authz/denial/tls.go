package denial

// Codes of what the TLS in a tunnel says of itself.
const (
	TLSTooOld     = "tls_too_old"
	TLSHidden     = "tls_hidden"
	TLSUnreadable = "tls_unreadable"
)

func tlsCodes() []Code {
	return []Code{
		{Name: TLSTooOld, Kind: Invalid, Retry: RetryNever, Text: "the TLS in this tunnel is older than 1.2, and does not pass unless every rule that allows it says tls: Opaque"},
		{Name: TLSHidden, Retry: RetryNever, Text: "the TLS in this tunnel may hide another name (Encrypted Client Hello): have the client leave that out, or the operator inspect it or allow it in the GatewayConfig"},
		{Name: TLSUnreadable, Kind: Invalid, Retry: RetryNever, Text: "the TLS in this tunnel begins with something that can be read in more than one way"},
	}
}
