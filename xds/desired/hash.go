package desired

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// hash is over the content of plain data.
func hash(vs ...any) string {
	h := sha256.New()
	enc := json.NewEncoder(h)
	for _, v := range vs {
		if err := enc.Encode(v); err != nil {
			panic("hash plain data: " + err.Error()) // the graph holds nothing else
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
