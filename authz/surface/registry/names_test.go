package registry

import "testing"

func TestSpelling(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		protocol, name, canonical string
		named                     bool
	}{
		{PyPI, "requests", "requests", true},
		{PyPI, "Evil_.Pkg", "evil-pkg", true},
		{PyPI, "Acme_*", "acme-*", true},
		{PyPI, "_evil", "-evil", false},
		{PyPI, "evil pkg", "evil pkg", false},
		{PyPI, "evil==1.0", "evil==1-0", false},
		{PyPI, "acme/*", "acme/*", false},
		{NPM, "JSONStream", "JSONStream", true},
		{NPM, "@acme/tools", "@acme/tools", true},
		{NPM, "@acme/*", "@acme/*", true},
		{NPM, "@acme*/**", "@acme*/**", true},
		{NPM, "@*/evil", "@*/evil", true},
		{NPM, "@acme", "@acme", false},
		{NPM, "@acme*", "@acme*", false},
		{NPM, "@acme**", "@acme**", true},
		{NPM, "acme/*", "acme/*", false},
		{NPM, "*/evil", "*/evil", true},
		{NPM, "evil@1.0.0", "evil@1.0.0", false},
		{NPM, "@a%2fb", "@a%2fb", false},
		{Go, "github.com/BurntSushi/toml", "github.com/BurntSushi/toml", true},
		{Go, "github.com/!burnt!sushi/toml", "github.com/!burnt!sushi/toml", false},
		{Go, "github.com/acme/**", "github.com/acme/**", true},
		{Go, "acme/**", "acme/**", false},
		{Go, "toml", "toml", false},
		{Go, "GitHub.com/acme/x", "GitHub.com/acme/x", false},
		{Cargo, "Evil", "evil", true},
		{Cargo, "serde_*", "serde_*", true},
		{Cargo, "7zip", "7zip", false},
		{Cargo, "evil.crate", "evil.crate", false},
		{Debian, "openssl/libssl3", "openssl/libssl3", true},
		{Debian, "*/libssl3", "*/libssl3", true},
		{Debian, "libssl3", "libssl3", false},
		{Debian, "libssl*", "libssl*", false},
		{Debian, "libssl**", "libssl**", true},
		{OCI, "Library/Alpine", "library/alpine", true},
		{OCI, "acme/**", "acme/**", true},
		{OCI, "alpine:3", "alpine:3", false},
		{OCI, "acme/*@sha256:*", "acme/*@sha256:*", false},
		{HuggingFace, "models/Acme/tiny", "models/Acme/tiny", true},
		{HuggingFace, "models/tiny", "models/tiny", true},
		{HuggingFace, "*/acme/*", "*/acme/*", true},
		{HuggingFace, "acme/tiny", "acme/tiny", false},
		{HuggingFace, "acme/*", "acme/*", false},
		{HuggingFace, "tiny", "tiny", false},
		{HuggingFace, "*", "*", true},
		{Debian, "**", "**", true},
	} {
		t.Run(tc.protocol+" "+tc.name, func(t *testing.T) {
			t.Parallel()
			canonical, mend := Spelling(tc.protocol, tc.name)
			if canonical != tc.canonical || (mend == "") != tc.named {
				t.Errorf("%q, %q", canonical, mend)
			}
		})
	}
}

// TestReadNamesAreCanonical: what is read is as an Allow is compared with, and
// folds to itself folded twice.
func TestReadNamesAreCanonical(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ protocol, path string }{
		{PyPI, "/packages/aa/bb/cc/Evil_Pkg-1.0-py3-none-any.whl"},
		{PyPI, "/simple/evil-pkg/"},
		{NPM, "/JSONStream"},
		{NPM, "/@acme/tools/-/tools-1.0.0.tgz"},
		{Go, "/github.com/!burnt!sushi/toml/@v/v1.0.0.zip"},
		{Cargo, "/api/v1/crates/Evil-Crate/1.0.0/download"},
		{Cargo, "/ev/il/evil_crate"},
		{Debian, "/pool/main/o/openssl/libssl3_3.0_amd64.deb"},
		{OCI, "/v2/library/alpine/manifests/3"},
		{HuggingFace, "/Acme/Tiny/resolve/main/model.bin"},
	} {
		r, err := Read(Input{Protocol: tc.protocol, Method: "GET", Path: tc.path})
		if err != nil || r.Name == "" {
			t.Fatalf("%s: %+v %v", tc.path, r, err)
		}
		canonical, mend := Spelling(tc.protocol, r.Name)
		if canonical != r.Name || mend != "" {
			t.Errorf("%s: %q is spelled %q: %s", tc.path, r.Name, canonical, mend)
		}
		if once := Fold(tc.protocol, r.Name); Fold(tc.protocol, once) != once {
			t.Errorf("%s: folds twice", once)
		}
	}
}
