package check

import (
	"encoding/base64"
	"strings"

	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/gateway/api/wire"
)

// tokenOf finds the transaction token of a request: in Txn-Token, or at a
// proxy in Proxy-Authorization, where clients put the password of a proxy's
// URL. Where both are there they must be the same token: one that is judged
// and one that is handed on is what an attacker would want. The code is empty,
// or says why there is none.
func tokenOf(r *Request, entry wire.Entry) (raw, code string) {
	own := r.Header(HeaderTxnToken)
	if own.Count > 1 {
		return "", denial.TokenMalformed
	}
	auth := r.Header(HeaderProxyAuthorization)
	if entry != wire.EntryProxy || auth.Count == 0 {
		return fromHeader(own.Value, own.Count)
	}
	pass, code := password(auth.Value)
	switch {
	case auth.Count > 1 || code == denial.TokenMalformed:
		return "", denial.TokenMalformed
	case code != "": // no token there
		return fromHeader(own.Value, own.Count)
	case own.Count == 1 && own.Value != pass:
		return "", denial.TokenMalformed
	}
	return pass, ""
}

func fromHeader(value string, count int) (raw, code string) {
	if count == 0 {
		return "", denial.TokenMissing
	}
	return value, ""
}

// maxAuthorization bounds what is decoded, in bytes: a token has at most 8 KiB.
const maxAuthorization = 16 << 10

// password reads the token out of Proxy-Authorization: Bearer, or the
// password of Basic (RFC 7617), whose user says nothing. Another scheme, and
// an empty password, are a client that has not been told yet what to send.
func password(v string) (pass, code string) {
	if len(v) > maxAuthorization {
		return "", denial.TokenMalformed
	}
	scheme, rest, _ := strings.Cut(v, " ")
	switch {
	case strings.EqualFold(scheme, "bearer"):
		pass = rest
	case strings.EqualFold(scheme, "basic"):
		raw, err := base64.StdEncoding.Strict().DecodeString(rest)
		if err != nil {
			return "", denial.TokenMalformed
		}
		_, pass, _ = strings.Cut(string(raw), ":")
	}
	if pass == "" {
		return "", denial.TokenMissing
	}
	return pass, ""
}
