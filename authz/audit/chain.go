package audit

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"time"
)

// digest is the SHA-256 of a line without its newline.
type digest [sha256.Size]byte

// signedPrefix keeps a checkpoint's signature from meaning anything elsewhere.
const signedPrefix = "hopgate audit checkpoint v1\n"

// chain is the place where the next line goes. It is a value: a batch that
// could not be written leaves the old one in force.
type chain struct {
	// seq and prev are of the last line; zero: there was none.
	seq  uint64
	prev digest
	// bare is the number of lines since the last checkpoint.
	bare int
}

// add appends the line of a body and moves on.
func (c *chain) add(out, body []byte) []byte {
	start := len(out)
	out = c.link(out, body)
	return c.seal(append(out, '}'), start)
}

// sign appends a checkpoint. The signature is over the line's bytes before
// its own member, so over seq, time, boot_id and prev among them.
func (c *chain) sign(out, body []byte, key ed25519.PrivateKey) []byte {
	start := len(out)
	out = c.link(out, body)
	sig := ed25519.Sign(key, append([]byte(signedPrefix), out[start:]...))
	out = base64.RawStdEncoding.AppendEncode(append(out, sigKey...), sig)
	out = c.seal(append(out, '"', '}'), start)
	c.bare = 0
	return out
}

func (c *chain) link(out, body []byte) []byte {
	out = strconv.AppendUint(append(out, seqKey...), c.seq+1, 10)
	out = append(append(out, ','), body...)
	out = hex.AppendEncode(append(out, prevKey...), c.prev[:])
	return append(out, '"')
}

func (c *chain) seal(out []byte, start int) []byte {
	c.prev = sha256.Sum256(out[start:])
	c.seq++
	c.bare++
	return append(out, '\n')
}

// genuine reports whether a checkpoint's signature holds.
func genuine(pub ed25519.PublicKey, signed, sig []byte) bool {
	return ed25519.Verify(pub, append([]byte(signedPrefix), signed...), sig)
}

// KeyID names a public key in checkpoints: the first 16 hex digits of its
// SHA-256.
func KeyID(pub ed25519.PublicKey) string {
	sum := sha256.Sum256(pub)
	return hex.EncodeToString(sum[:8])
}

// scribe writes the log's own lines.
type scribe struct {
	key    ed25519.PrivateKey
	keyID  string
	bootID string
	// every is the largest number of lines without a checkpoint.
	every int
	now   func() time.Time
}

// sign appends a checkpoint.
func (s *scribe) sign(c *chain, out []byte, why string) []byte {
	r := Record{Kind: KindCheckpoint, Checkpoint: &Checkpoint{Why: why, Key: s.keyID, Every: s.every}}
	return c.sign(out, s.body(&r), s.key)
}

func (s *scribe) body(r *Record) []byte {
	r.Time = s.now()
	var e encoder
	e.encode(r, s.bootID)
	return e.b
}
