package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What ca init makes signs for what it was made for, and is closed to others; it
// is written over by --force alone.
func TestCA(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	made := hopgate(t, dir, "ca", "init", "--state", "st", "--days", "30", "--permit", "example.com", "--permit", "Example.org").want(t, 0)
	cert := filepath.Join("st", "ca.pem")
	for _, s := range []string{"curl --cacert " + cert, "SSL_CERT_FILE=" + cert, "NODE_EXTRA_CA_CERTS=" + cert, "REQUESTS_CA_BUNDLE=" + cert, "keytool"} {
		if !strings.Contains(made.stdout, s) {
			t.Errorf("it does not say %q:\n%s", s, made.stdout)
		}
	}
	for name, mode := range map[string]os.FileMode{"ca.pem": 0o644, "ca.key": 0o600} {
		st, err := os.Stat(filepath.Join(dir, "st", name))
		if err != nil || st.Mode().Perm() != mode {
			t.Errorf("%s has mode %v, %v", name, st.Mode(), err)
		}
	}
	block, _ := pem.Decode([]byte(read(t, filepath.Join(dir, cert))))
	x, err := x509.ParseCertificate(block.Bytes)
	if err != nil || !x.IsCA || x.MaxPathLen != 0 || strings.Join(x.PermittedDNSDomains, " ") != "example.com example.org" {
		t.Errorf("made %+v, %v", x, err)
	}
	if left := time.Until(x.NotAfter); left < 29*24*time.Hour || left > 31*24*time.Hour {
		t.Errorf("it is valid for %s", left)
	}
	key := read(t, filepath.Join(dir, "st", "ca.key"))
	again := hopgate(t, dir, "ca", "init", "--state", "st").want(t, 1)
	if !strings.Contains(again.stderr, "--force") || read(t, filepath.Join(dir, "st", "ca.key")) != key {
		t.Errorf("it was written over, or nobody was told: %s", again.stderr)
	}
	hopgate(t, dir, "ca", "init", "--state", "st", "--force").want(t, 0)
	if read(t, filepath.Join(dir, "st", "ca.key")) == key {
		t.Error("--force has made nothing")
	}
}

func TestCAShow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hopgate(t, dir, "ca", "init", "--state", "st", "--permit", "example.com").want(t, 0)
	text := hopgate(t, dir, "ca", "show", "--state", "st").want(t, 0)
	if !strings.Contains(text.stdout, "example.com, and what is below") || strings.Contains(text.stdout+text.stderr, "PRIVATE") {
		t.Errorf("it shows:\n%s", text.stdout)
	}
	var shown struct {
		SHA256  string
		Permits []string
	}
	out := hopgate(t, dir, "ca", "show", "--state", "st", "-o", "json").want(t, 0)
	if err := json.Unmarshal([]byte(out.stdout), &shown); err != nil || len(shown.SHA256) != 64 || len(shown.Permits) != 1 {
		t.Errorf("%s: %v", out.stdout, err)
	}
	// A key that is another's is no good.
	hopgate(t, dir, "ca", "init", "--state", "other").want(t, 0)
	write(t, filepath.Join(dir, "st", "ca.key"), read(t, filepath.Join(dir, "other", "ca.key")))
	if r := hopgate(t, dir, "ca", "show", "--state", "st").want(t, 1); !strings.Contains(r.stderr, "not that of the certificate") {
		t.Errorf("it says %s", r.stderr)
	}
}

// What check says of a rule that inspects: whether there is a CA, and whether it
// is good.
func TestCheckInspect(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "policy.yaml"), `
apiVersion: hopgate.dev/v1alpha1
kind: AccessPolicy
metadata: {name: reads}
spec:
  rules:
  - {name: look, to: {type: Hosts, hosts: [{names: [example.com]}]}, action: Allow, with: {tls: Inspect}}
  - {name: read, to: {type: HTTP, http: [{hosts: [example.com], methods: [GET]}]}, action: Allow}
`)
	without := hopgate(t, dir, "check", "-f", "policy.yaml", "--state", "st").want(t, 1)
	if !strings.Contains(without.stdout, "hopgate ca init") {
		t.Errorf("it says:\n%s", without.stdout)
	}
	hopgate(t, dir, "ca", "init", "--state", "st").want(t, 0)
	roots := filepath.Join(dir, "st", "ca.pem")
	for _, args := range [][]string{{"--state", "st"}, {"--state", "none", "--ca-cert", "st/ca.pem", "--ca-key", "st/ca.key"}} {
		c := call{args: append([]string{"check", "-f", "policy.yaml"}, args...), dir: dir, env: []string{"SSL_CERT_FILE=" + roots}}
		if r := c.do(t).want(t, 0); strings.Contains(r.stdout, "not good") {
			t.Errorf("%v: it says:\n%s", args, r.stdout)
		}
	}
}
