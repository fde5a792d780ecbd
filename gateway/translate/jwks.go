package translate

import (
	"encoding/json"
)

// checkJWKS says whether data is a JWK Set (RFC 7517 section 5) with a key in
// it, and none that is private: what verifies tokens must not be able to make
// them. What each key is good for is the verifier's to judge.
func checkJWKS(data []byte, where string) error {
	var set struct {
		Keys []map[string]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return reject(reasonInvalid, "%s: is no JWK Set", where)
	}
	if len(set.Keys) == 0 {
		return reject(reasonInvalid, "%s: is a JWK Set without keys", where)
	}
	for i, key := range set.Keys {
		if _, ok := key["d"]; ok {
			return reject(reasonInvalid, "%s: key %d is a private key", where, i)
		}
		if _, ok := key["k"]; ok {
			return reject(reasonInvalid, "%s: key %d is a shared secret", where, i)
		}
	}
	return nil
}
