package jwks_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/token/jwks"
)

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	good := string(setOf(newEd25519(1).named("a")))
	key := good[len(`{"keys":[`) : len(good)-len(`]}`)]
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write([]byte(good)); err != nil || z.Close() != nil {
		t.Fatal("not compressed")
	}
	for _, c := range []struct{ name, raw, want string }{
		{"nothing", "", "empty"},
		{"spaces", "  \n", "empty"},
		{"no JSON", "<html>503</html>", "syntax"},
		{"PEM", "-----BEGIN PUBLIC KEY-----", "syntax"},
		{"half of it", good[:len(good)/2], "truncated"},
		{"something behind it", good + "x", "trailing_bytes"},
		{"two sets", good + good, "trailing_bytes"},
		{"a byte order mark", "\xef\xbb\xbf" + good, "bom"},
		{"UTF-16", strings.Join(strings.Split(good, ""), "\x00"), "syntax"},
		{"no UTF-8", `{"keys":[],"x":"` + "\xff" + `"}`, "bad_utf8"},
		{"compressed", zipped.String(), "syntax"},
		{"a list", "[" + key + "]", "not an object with an array keys"},
		{"a key alone", key, "not an object with an array keys"},
		{"text", `"keys"`, "not an object with an array keys"},
		{"no keys", `{}`, "not an object with an array keys"},
		{"keys in another case", `{"Keys":[` + key + `]}`, "not an object with an array keys"},
		{"keys null", `{"keys":null}`, "not an object with an array keys"},
		{"keys an object", `{"keys":` + key + `}`, "not an object with an array keys"},
		{"keys text", `{"keys":"[]"}`, "not an object with an array keys"},
		{"keys twice", `{"keys":[],"keys":[` + key + `]}`, "duplicate_key"},
		{"keys twice, once escaped", `{"keys":[],"\u006beys":[` + key + `]}`, "duplicate_key"},
		{"a member of a key twice", `{"keys":[{"kid":"b",` + key[1:] + `]}`, "duplicate_key"},
		{"a kty twice, once escaped", `{"keys":[{"kt\u0079":"oct",` + key[1:] + `]}`, "duplicate_key"},
		{"deep", `{"keys":[],"x":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `}`, "depth"},
		{"many values", `{"keys":[],"x":[` + strings.Repeat("0,", 40000) + `0]}`, "nodes"},
		{"too many keys", `{"keys":[` + strings.Repeat(key+",", jwks.MaxKeys) + key + `]}`, "more than 100 keys"},
		{"too many that are no keys", `{"keys":[` + strings.Repeat("0,", jwks.MaxKeys) + `0]}`, "more than 100 keys"},
		{"too large", good + strings.Repeat(" ", jwks.MaxBytes-len(good)+1), "more than 524288 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := jwks.Parse([]byte(c.raw))
			if s != nil || err == nil || !strings.HasPrefix(err.Error(), "read key set: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Parse = %v, %v, want %q", s, err, c.want)
			}
		})
	}
}

func TestParseTakesAsMuchAsItMay(t *testing.T) {
	t.Parallel()
	good := setOf(newEd25519(1).named("a"))
	for name, raw := range map[string][]byte{
		"512 KiB":              append(good, bytes.Repeat([]byte(" "), jwks.MaxBytes-len(good))...),
		"other members":        []byte(strings.Replace(string(good), "{", `{"comment":{"keys":[1]},"KEYS":[],`, 1)),
		"escapes in a name":    []byte(strings.Replace(string(good), `"keys"`, `"\u006Beys"`, 1)),
		"escapes in a value":   []byte(strings.Replace(string(good), `"OKP"`, `"\u004fKP"`, 1)),
		"line ends in between": []byte(strings.ReplaceAll(string(good), ",", ",\r\n\t")),
	} {
		if diff := cmp.Diff([]string{"a"}, parse(t, raw).IDs()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	keys := make([]jwk, jwks.MaxKeys)
	for i := range keys {
		keys[i] = newEd25519(byte(i)).named(fmt.Sprintf("k%02d", i))
	}
	s := parse(t, setOf(keys...))
	for i := range keys {
		if k := s.Find(fmt.Sprintf("k%02d", i)); k == nil || !k.Verify("text", newEd25519(byte(i)).sign("text")) {
			t.Fatalf("key %d of 100 is not found", i)
		}
	}
}

// TestOtherKeysAreLeftAlone: what cannot be used never takes others with it.
func TestOtherKeysAreLeftAlone(t *testing.T) {
	t.Parallel()
	k := newEd25519(1).jwk
	bad := []any{
		jwk{"kty": "AKP", "kid": "ml-dsa", "alg": "ML-DSA-44", "pub": "AAAA"},
		jwk{"kty": "LMS", "kid": "c"},
		k.with("kid", "x448", "crv", "Ed448"),
		k.with("kid", "enc", "use", "enc"),
		k.with("kid", ""),
		k.with("kid", "short", "x", "AA"),
		k.with("kid", "off", "x", "Ag"+strings.Repeat("A", 41)),
		jwk{"kty": "RSA", "kid": "small", "n": "AQAB", "e": "AQAB"},
		jwk{"kty": "oct", "kid": "secret", "k": "c2VjcmV0"},
		jwk{},
		nil, 1, "a",
		[]any{},
	}
	var all []any
	for i, b := range bad {
		all = append(all, b, newEd25519(byte(10+i)).named(fmt.Sprintf("good%02d", i)))
	}
	s := parse(t, setOfAny(all...))
	if len(s.IDs()) != len(bad) || len(s.Problems()) != len(bad) {
		t.Fatalf("%q, problems %q", s.IDs(), s.Problems())
	}
	for i := range bad {
		if k := s.Find(fmt.Sprintf("good%02d", i)); k == nil || !k.Verify("text", newEd25519(byte(10+i)).sign("text")) {
			t.Errorf("good%02d: found %v", i, k)
		}
		if want := fmt.Sprintf("key %d is not used: ", 2*i+1); !strings.HasPrefix(s.Problems()[i], want) {
			t.Errorf("problem %q, want %q", s.Problems()[i], want)
		}
	}
}

// TestKidsThatNameNoKey tries every order of the keys: what a token means must
// not hang on it.
func TestKidsThatNameNoKey(t *testing.T) {
	t.Parallel()
	a, b, other := newEd25519(1), newEd25519(2), newEd25519(3).named("other")
	rs, ps := newRSA(jwks.RS256), newRSA(jwks.PS256)
	for _, c := range []struct {
		name string
		keys []jwk
		want []string
	}{
		{"no keys", nil, []string{}},
		{"one key", []jwk{a.named("k")}, []string{"k"}},
		{"the same twice", []jwk{a.named("k"), a.named("k"), other}, []string{"k", "other"}},
		{"the same, with other members", []jwk{a.named("k"), a.named("k").with("alg", "EdDSA", "use", "sig"), other}, []string{"k", "other"}},
		{"the same under two kids", []jwk{a.named("k"), a.named("l"), other}, []string{"k", "l", "other"}},
		{"two under one kid", []jwk{a.named("k"), b.named("k"), other}, []string{"other"}},
		{"two of three under one kid", []jwk{a.named("k"), b.named("k"), a.named("k"), other}, []string{"other"}},
		{"two kinds under one kid", []jwk{a.named("k"), newEC(jwks.ES256, 1).named("k"), other}, []string{"other"}},
		{"two algorithms of one key under one kid", []jwk{rs.named("k"), ps.named("k"), other}, []string{"other"}},
		{"two algorithms of one key", []jwk{rs.named("k"), ps.named("l"), other}, []string{"k", "l", "other"}},
		{"kids of another case", []jwk{a.named("k"), b.named("K"), other}, []string{"K", "k", "other"}},
		{"one without a kid", []jwk{a.jwk, other}, []string{"", "other"}},
		{"two without a kid", []jwk{a.jwk, b.jwk, other}, []string{"other"}},
		{"one for encryption under its kid", []jwk{a.named("k"), b.named("k").with("use", "enc"), other}, []string{"k", "other"}},
		{"one of no known kind under its kid", []jwk{a.named("k"), {"kty": "AKP", "kid": "k"}, other}, []string{"k", "other"}},

		{"its private half", []jwk{a.named("k"), a.named("k").with("d", "AA"), other}, []string{"other"}},
		{"another's private half under its kid", []jwk{a.named("k"), b.named("k").with("d", "AA"), other}, []string{"other"}},
		{"its private half under another kid", []jwk{a.named("k"), a.named("l").with("d", "AA"), other}, []string{"other"}},
		{"its private half without a kid", []jwk{a.named("k"), a.jwk.with("d", "AA"), other}, []string{"other"}},
		{"its private half under a kid of no form", []jwk{a.named("k"), a.named("").with("d", "AA"), other}, []string{"other"}},
		{"its private half, for encryption", []jwk{a.named("k"), a.named("l").with("d", "AA", "use", "enc"), other}, []string{"other"}},
		{"an RSA key's, for an algorithm not known", []jwk{rs.named("k"), ps.named("m"), rs.named("l").with("d", "AA", "alg", "RS512"), other}, []string{"other"}},
		{"an EC key's", []jwk{newEC(jwks.ES256, 1).named("k"), newEC(jwks.ES256, 1).named("l").with("d", "AA"), other}, []string{"other"}},
		{"a secret under its kid", []jwk{a.named("k"), {"kty": "oct", "kid": "k", "k": "c2VjcmV0"}, other}, []string{"other"}},
		{"a secret under another kid", []jwk{a.named("k"), {"kty": "oct", "kid": "l", "k": "c2VjcmV0"}, other}, []string{"k", "other"}},
		{"a private half without a public one", []jwk{a.named("k"), {"kty": "OKP", "crv": "Ed25519", "kid": "l", "d": "AA"}, other}, []string{"k", "other"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for keys := range orders(c.keys) {
				s := parse(t, setOf(keys...))
				if diff := cmp.Diff(c.want, s.IDs()); diff != "" {
					t.Fatalf("in the order %v:\n%s", keys, diff)
				}
				if len(c.keys) > len(c.want)+1 && len(s.Problems()) == 0 {
					t.Error("nothing is said of it")
				}
			}
		})
	}
}

// orders are all orders of keys, at most five.
func orders(keys []jwk) func(yield func([]jwk) bool) {
	return func(yield func([]jwk) bool) {
		var next func(n int) bool
		next = func(n int) bool {
			if n == len(keys) {
				return yield(keys)
			}
			for i := n; i < len(keys); i++ {
				keys[n], keys[i] = keys[i], keys[n]
				more := next(n + 1)
				keys[n], keys[i] = keys[i], keys[n]
				if !more {
					return false
				}
			}
			return true
		}
		next(0)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	a, b := newEd25519(1), newEd25519(2)
	none, one, two := parse(t, setOf()), parse(t, setOf(a.named("abc"))), parse(t, setOf(a.jwk, b.named("abc")))
	for _, c := range []struct {
		name, kid string
		set       *jwks.Set
		by        *signer
	}{
		{"of none", "abc", none, nil},
		{"of none, no kid", "", none, nil},
		{"exactly", "abc", one, a},
		{"the only one", "", one, a},
		{"the front of it", "ab", one, nil},
		{"more than it", "abcd", one, nil},
		{"another case", "ABC", one, nil},
		{"a zero behind it", "abc\x00", one, nil},
		{"not the only one", "", two, nil},
		{"beside one without", "abc", two, b},
	} {
		k := c.set.Find(c.kid)
		if (k != nil) != (c.by != nil) || k != nil && !k.Verify("text", c.by.sign("text")) {
			t.Errorf("%s: found %v", c.name, k)
		}
	}
}

// TestASetKeepsNothingOfItsDocument: the bytes may be used again.
func TestASetKeepsNothingOfItsDocument(t *testing.T) {
	t.Parallel()
	for _, s := range signers() {
		k := s.named("kid").with("alg", s.alg)
		raw := setOf(k, k.with("kid", "other", "use", "enc"))
		set := parse(t, raw)
		clear(raw)
		found := set.Find("kid")
		if found == nil || found.ID != "kid" || found.Algorithm != s.alg || !found.Verify("text", s.sign("text")) {
			t.Errorf("%s: found %+v after its document was cleared", s.alg, found)
		}
		if diff := cmp.Diff([]string{"key 2 is not used: its use is not sig"}, set.Problems()); diff != "" {
			t.Error(diff)
		}
	}
}
