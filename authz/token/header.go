package token

import (
	"strings"

	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/token/jwks"
)

// Type is the typ of a Txn-Token (draft-ietf-oauth-transaction-tokens-11
// section 9.1).
const Type = "txntoken+jwt"

// header is what counts of a JOSE header (RFC 7515 section 4).
type header struct{ typ, alg, kid string }

// Bounds of a header: it is small in every token there is.
const (
	headerDepth = 4
	headerNodes = 64
)

// readHeader reads a header of which only members may be there that are known
// and harmless: crit, b64, zip and cty change what is signed or how it is read,
// jwk, jku, x5u and x5c would have the token say who may sign it.
func readHeader(raw []byte, d *strictjson.Doc) (h header, rej *Rejection) {
	if err := d.Parse(raw, strictjson.Limits{Depth: headerDepth, Nodes: headerNodes}); err != nil {
		return h, &Rejection{ReasonMalformed, "its header cannot be read: " + err.Error()}
	}
	if d.Root().Kind() != strictjson.Object {
		return h, &Rejection{ReasonMalformed, "its header is not an object"}
	}
	for name, v := range d.Root().Members() {
		switch name {
		case "typ":
			h.typ, _ = v.Text()
		case "alg":
			h.alg, _ = v.Text()
		case "kid":
			id, _ := v.Text()
			if !jwks.ValidKeyID(id) {
				return h, &Rejection{ReasonMalformed, "its kid is not a short text of visible ASCII"}
			}
			h.kid = id
		case "x5t", "x5t#S256": // thumbprints: nothing hangs on them here
		default:
			return h, &Rejection{ReasonMalformed, "its header has a member other than typ, alg, kid and x5t"}
		}
	}
	return h, nil
}

// isTxnToken compares typ as a media type: case says nothing, and
// "application/" may be written out (RFC 7515 section 4.1.9).
func (h header) isTxnToken() bool {
	typ := h.typ
	const prefix = "application/"
	if len(typ) > len(prefix) && strings.EqualFold(typ[:len(prefix)], prefix) {
		typ = typ[len(prefix):]
	}
	// EqualFold would take other letters for k.
	return len(typ) == len(Type) && strings.EqualFold(typ, Type)
}
