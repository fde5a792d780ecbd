package token_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/authz/token/jwks"
	"github.com/hopgate/hopgate/internal/testenv"
)

// Keys of RFC 8410 section 10: private, the same with attributes and its
// public half, and public.
const (
	rfcPrivate = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n"
	rfcWhole   = "-----BEGIN PRIVATE KEY-----\nMHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n" +
		"oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB\nZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PRIVATE KEY-----\n"
	rfcPublic = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"
	// rfcSecret is what no error may say.
	rfcSecret = "1O5y2/kTWErVttjx92n4rTr"
	rfcX      = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"
)

func x(public ed25519.PublicKey) string { return base64.RawURLEncoding.EncodeToString(public) }

// keyFile is a file with that text, in a folder of its own.
func keyFile(t *testing.T, text string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// pkcs8 is a private key of any kind, in PEM.
func pkcs8(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func pkix(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	seed := bytes.Repeat([]byte{7}, ed25519.SeedSize)
	k, err := token.Generate(bytes.NewReader(append(seed, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if !k.Private().Equal(ed25519.NewKeyFromSeed(seed)) || !k.Public().Equal(k.Private().Public()) {
		t.Error("the key is not the one of its randomness")
	}
	if k.ID() != jwks.Thumbprint(k.Public()) {
		t.Errorf("kid %s", k.ID())
	}
	set, err := jwks.Parse(k.JWKS())
	if err != nil {
		t.Fatal(err)
	}
	if found := set.Find(k.ID()); found == nil || !found.Verify("text", ed25519.Sign(k.Private(), []byte("text"))) {
		t.Errorf("its set has %q", set.IDs())
	}
	if k, err := token.Generate(bytes.NewReader(seed[:31])); k != nil || err == nil || !strings.HasPrefix(err.Error(), "make key: ") {
		t.Errorf("of too little randomness: %v, %v", k, err)
	}
}

func TestLoadKeysOfRFC8410(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"private": rfcPrivate, "with its public half": rfcWhole, "text in front": "a key of mine\n" + rfcPrivate, "line ends behind": rfcPrivate + "\n\r\n\t ",
		"line ends of Windows": strings.ReplaceAll(rfcPrivate, "\n", "\r\n"),
	} {
		for _, mode := range []fs.FileMode{0o600, 0o400, 0o700} {
			k, err := token.Load(keyFile(t, text, mode))
			if err != nil || x(k.Public()) != rfcX {
				t.Errorf("%s, %o: %v, %v", name, mode, k, err)
			}
		}
		public, err := token.LoadPublic(keyFile(t, text, 0o644))
		if err != nil || x(public) != rfcX {
			t.Errorf("%s: public half %x, %v", name, public, err)
		}
	}
	if public, err := token.LoadPublic(keyFile(t, rfcPublic, 0o644)); err != nil || x(public) != rfcX {
		t.Errorf("public: %x, %v", public, err)
	}
}

// TestLoadWantsOneReader: whoever can read a key can sign, and whoever can
// write it can have signed.
func TestLoadWantsOneReader(t *testing.T) {
	t.Parallel()
	for bit := fs.FileMode(1); bit <= 0o040; bit <<= 1 {
		path := keyFile(t, rfcPrivate, 0o600|bit)
		for name, load := range map[string]func(string) (*token.Key, error){"Load": token.Load, "LoadOrCreate": token.LoadOrCreate} {
			if k, err := load(path); k != nil || err == nil || !strings.Contains(err.Error(), "others can read it: chmod 600") {
				t.Errorf("%s, %o: %v, %v", name, 0o600|bit, k, err)
			}
		}
	}
}

// TestWhatIsNoKey: private says what Load says of it, public what LoadPublic
// does; an empty text means that it is a key to that one.
func TestWhatIsNoKey(t *testing.T) {
	t.Parallel()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const one, block, bothBlocks = "exactly one PEM block", "it holds no PEM block PRIVATE KEY", "it holds no PEM block PUBLIC KEY or PRIVATE KEY"
	retyped := func(kind string) string { return strings.ReplaceAll(rfcPrivate, "PRIVATE KEY", kind) }
	spoilt := strings.Replace(rfcPrivate, "MC4C", "MC4D", 1)
	for _, c := range []struct{ name, text, private, public string }{
		{"nothing", "", one, one},
		{"text", "my key", one, one},
		{"zeros", strings.Repeat("\x00", 100), one, one},
		{"bytes without PEM", "\x30\x2e\x02\x01\x00", one, one},
		{"a JWK", `{"kty":"OKP","crv":"Ed25519","d":"1O5y2_kTWErVttjx92n4rTr"}`, one, one},
		{"two keys", rfcPrivate + rfcPrivate, one, one},
		{"both halves", rfcPublic + rfcPrivate, one, one},
		{"a key and text", rfcPrivate + "x", one, one},
		{"no end", strings.TrimSuffix(rfcPrivate, "-----END PRIVATE KEY-----\n"), one, one},
		{"another end", strings.Replace(rfcPrivate, "END PRIVATE", "END PUBLIC", 1), one, one},
		{"too large", rfcPrivate + strings.Repeat("\n", 16<<10), "not a file of a key", "not a file of a key"},
		{"a public key", rfcPublic, block, ""},
		{"a certificate", retyped("CERTIFICATE"), block, bothBlocks},
		{"encrypted", retyped("ENCRYPTED PRIVATE KEY"), block, bothBlocks},
		{"of OpenSSH", retyped("OPENSSH PRIVATE KEY"), block, bothBlocks},
		{"SEC 1", retyped("EC PRIVATE KEY"), block, bothBlocks},
		{"type in another case", retyped("Private Key"), block, bothBlocks},
		{"private, named public", retyped("PUBLIC KEY"), block, "not a public key"},
		{"public, named private", strings.ReplaceAll(rfcPublic, "PUBLIC", "PRIVATE"), "not PKCS #8", "not PKCS #8"},
		{"empty block", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "not PKCS #8", "not PKCS #8"},
		{"spoilt", spoilt, "not PKCS #8", "not PKCS #8"},
		{"an EC key", pkcs8(t, ec), "not an Ed25519 key", "not an Ed25519 key"},
		{"a public EC key", pkix(t, ec.Public()), block, "not an Ed25519 key"},
		{"an X25519 key", pkcs8(t, x25519), "not an Ed25519 key", "not an Ed25519 key"},
		{"a public X25519 key", pkix(t, x25519.PublicKey()), block, "not an Ed25519 key"},
	} {
		path := keyFile(t, c.text, 0o600)
		k, err := token.Load(path)
		checkRefusal(t, c.name+": Load", path, k == nil, err, c.private)
		public, err := token.LoadPublic(path)
		checkRefusal(t, c.name+": LoadPublic", path, public == nil, err, c.public)
		k, err = token.LoadOrCreate(path)
		checkRefusal(t, c.name+": LoadOrCreate", path, k == nil, err, c.private)
		if now, err := os.ReadFile(path); err != nil || string(now) != c.text {
			t.Errorf("%s: the file was changed", c.name)
		}
	}
}

// checkRefusal wants an error that names the file and says why, and nothing of
// the key.
func checkRefusal(t *testing.T, name, path string, none bool, err error, want string) {
	t.Helper()
	switch {
	case want == "" && (err != nil || none):
		t.Errorf("%s: %v", name, err)
	case want != "" && (err == nil || !none || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path)):
		t.Errorf("%s: %v, want %q", name, err, want)
	case err != nil && strings.Contains(err.Error(), rfcSecret):
		t.Errorf("%s: the error tells the key: %v", name, err)
	}
}

// TestTruncatedKeys: no front of a file is a key.
func TestTruncatedKeys(t *testing.T) {
	t.Parallel()
	path := keyFile(t, rfcPrivate, 0o600)
	whole := len(strings.TrimSpace(rfcPrivate))
	for n := range whole {
		if err := os.WriteFile(path, []byte(rfcPrivate[:n]), 0o600); err != nil {
			t.Fatal(err)
		}
		if k, err := token.Load(path); k != nil || err == nil {
			t.Errorf("the first %d bytes: %v, %v", n, k, err)
		}
	}
	if err := os.WriteFile(path, []byte(rfcPrivate[:whole]), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := token.Load(path); err != nil {
		t.Errorf("without the last line end: %v", err)
	}
}

// TestWhatIsNoKeyFile ends at once, and never in a new key.
func TestWhatIsNoKeyFile(t *testing.T) {
	t.Parallel()
	dir := testenv.ShortDir(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := syscall.Mkfifo(at("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", at("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Mkdir(at("folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"loop": "loop", "to-nothing": "nothing", "to-pipe": "pipe", "to-folder": "folder"} {
		if err := os.Symlink(to, at(link)); err != nil {
			t.Fatal(err)
		}
	}
	before := names(t, dir)
	const notAFile = "not a file of a key"
	for path, want := range map[string]string{
		at("pipe"): notAFile, at("to-pipe"): notAFile, at("folder"): notAFile, at("to-folder"): notAFile, "/dev/zero": notAFile,
		at("socket"): "read key: open", at("loop"): "read key: open", at("to-nothing"): "no such file", at("none/key"): "no such file",
		at("pipe/key"): "not a directory", "": "no such file",
	} {
		errs := make(chan error, 3)
		go func() {
			_, err := token.Load(path)
			errs <- err
			_, err = token.LoadPublic(path)
			errs <- err
			_, err = token.LoadOrCreate(path)
			errs <- err
		}()
		testenv.Wait(t, "an end with "+path, func() bool { return len(errs) == cap(errs) })
		for range cap(errs) {
			if err := <-errs; err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %q", path, err, want)
			}
		}
	}
	if diff := cmp.Diff(before, names(t, dir)); diff != "" {
		t.Errorf("files came or went:\n%s", diff)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// TestALinkToAKey is followed: what it points to has to be as it should.
func TestALinkToAKey(t *testing.T) {
	t.Parallel()
	for mode, ok := range map[fs.FileMode]bool{0o600: true, 0o644: false} {
		path := keyFile(t, rfcPrivate, mode)
		link := filepath.Join(filepath.Dir(path), "link")
		if err := os.Symlink("key.pem", link); err != nil {
			t.Fatal(err)
		}
		if k, err := token.LoadOrCreate(link); (err == nil) != ok || ok && x(k.Public()) != rfcX {
			t.Errorf("to a file of mode %o: %v", mode, err)
		}
	}
}

func TestLoadOrCreate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "key.pem")
	made, err := token.LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("made with mode %v, %v", info.Mode(), err)
	}
	for name, load := range map[string]func(string) (*token.Key, error){"Load": token.Load, "LoadOrCreate": token.LoadOrCreate} {
		if k, err := load(path); err != nil || !k.Private().Equal(made.Private()) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if public, err := token.LoadPublic(path); err != nil || !public.Equal(made.Public()) {
		t.Errorf("LoadPublic: %v", err)
	}
	if diff := cmp.Diff([]string{"key.pem"}, names(t, dir)); diff != "" {
		t.Errorf("left over:\n%s", diff)
	}
	other, err := token.LoadOrCreate(filepath.Join(t.TempDir(), "key.pem"))
	if err != nil || other.ID() == made.ID() {
		t.Errorf("two keys are one: %v", err)
	}
}

// TestManyAtOnce end up with the same key: none writes over another's.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	for range 20 {
		dir := t.TempDir()
		var (
			all sync.WaitGroup
			mu  sync.Mutex
			ids []string
		)
		begin := make(chan struct{})
		for range 16 {
			all.Go(func() {
				<-begin
				k, err := token.LoadOrCreate(filepath.Join(dir, "key.pem"))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				ids = append(ids, k.ID())
			})
		}
		close(begin)
		all.Wait()
		if len(slices.Compact(ids)) != 1 {
			t.Errorf("kids %q", ids)
		}
		if diff := cmp.Diff([]string{"key.pem"}, names(t, dir)); diff != "" {
			t.Errorf("left over:\n%s", diff)
		}
	}
}

// TestNoRoomForAKey: the folder does not take it.
func TestNoRoomForAKey(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "none", "key.pem")
	if k, err := token.LoadOrCreate(missing); k != nil || !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "write key: ") {
		t.Errorf("no folder: %v, %v", k, err)
	}
	if os.Geteuid() == 0 {
		return // root may write anywhere
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if k, err := token.LoadOrCreate(filepath.Join(dir, "key.pem")); k != nil || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a folder that may not be written: %v, %v", k, err)
	}
}

// TestAKeyNeverShowsItself, by whatever verb, inside of whatever.
func TestAKeyNeverShowsItself(t *testing.T) {
	t.Parallel()
	var seed [ed25519.SeedSize]byte
	for i := range seed {
		seed[i] = byte(200 + i)
	}
	k, err := token.Generate(bytes.NewReader(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	type exported struct{ Key *token.Key }
	type inner struct{ key token.Key }
	type pointer struct{ key *token.Key }
	forms := []any{k, *k, &k, exported{k}, &exported{k}, inner{*k}, &inner{*k}, pointer{k}, []*token.Key{k}, []token.Key{*k}, map[string]*token.Key{"k": k}, errorOf{k}, [1]any{*k}}
	var out bytes.Buffer
	text := slog.New(slog.NewTextHandler(&out, nil))
	lines := slog.New(slog.NewJSONHandler(&out, nil))
	wrap := strings.Join([]string{"%", "w"}, "") // that vet would find
	for _, form := range forms {
		for _, verb := range "vTtbcdoOqxXUeEfFgGspw!" {
			for _, flag := range []string{"", "+", "#", " ", "-10", "010.3", "#+ "} {
				fmt.Fprintf(&out, "%"+flag+string(verb)+"\n", form)
			}
		}
		fmt.Fprintln(&out, form, fmt.Errorf(wrap, form))
		text.Info("key", "key", form)
		lines.Info("key", "key", form, slog.Group("group", "key", form))
		if raw, err := json.Marshal(form); err == nil {
			out.Write(raw)
		}
	}
	said := out.String()
	for name, secret := range map[string]string{
		"bytes": string(seed[2:8]), "decimal": "202 203 204", "decimal, with commas": "202, 203, 204", "decimal, as JSON": "202,203,204",
		"hexadecimal": hex.EncodeToString(seed[2:8]), "as Go writes it": "0xca, 0xcb, 0xcc", "octal": "312 313 314", "binary": "11001010 11001011",
		"base64": base64.StdEncoding.EncodeToString(seed[3:9]), "base64, shifted": base64.StdEncoding.EncodeToString(seed[4:10]),
	} {
		if strings.Contains(strings.ToLower(said), strings.ToLower(secret)) {
			t.Errorf("the key is shown: %s", name)
		}
	}
	if !strings.Contains(said, "[key]") || strings.Contains(said, "PANIC") {
		t.Error("nothing stands where the key was")
	}
	for _, v := range []any{k, *k} {
		if got := fmt.Sprintf("%v %+v %#v %s %x %d", v, v, v, v, v, v); got != "[key] [key] [key] [key] [key] [key]" {
			t.Errorf("shown as %s", got)
		}
	}
	if k.String() != "[key]" || k.GoString() != "[key]" || k.LogValue().String() != "[key]" {
		t.Error("it does not show a [key]")
	}
}

// errorOf is an error that holds a key.
type errorOf struct{ key *token.Key }

func (e errorOf) Error() string { return fmt.Sprintf("key %v", e.key) }
