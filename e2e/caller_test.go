package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/internal/testgateway"
)

// patience is how long a caller waits for an answer.
const patience = 30 * time.Second

// newClient is a client with connections of its own.
func newClient(t testing.TB) *http.Client {
	t.Helper()
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}

// call is one HTTP request to the listener with routes.
type call struct {
	method, path string
	token        string
	contentType  string
	body         string
	header       map[string]string
}

// answer is what a caller got.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends the call and reads the answer to its end.
func (c call) do(t testing.TB, g *testgateway.Gateway) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), c.method, g.URL(c.path), strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range c.header {
		req.Header.Set(name, value)
	}
	if c.token != "" {
		req.Header.Set("Txn-Token", c.token)
	}
	if c.contentType != "" {
		req.Header.Set("Content-Type", c.contentType)
	}
	return send(t, newClient(t), req)
}

// get is a GET of the listener with routes.
func get(t testing.TB, g *testgateway.Gateway, path, token string) answer {
	t.Helper()
	return call{method: "GET", path: path, token: token}.do(t, g)
}

func send(t testing.TB, c *http.Client, req *http.Request) answer {
	t.Helper()
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, res)
}

func read(t testing.TB, res *http.Response) answer {
	t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

// code is a denial's, whatever protocol it was said in; empty: it says none.
func (a answer) code() string {
	var m struct {
		Code  string `json:"code"`
		Error struct {
			Code json.RawMessage `json:"code"`
			Data struct {
				Code string `json:"code"`
			} `json:"data"`
		} `json:"error"`
	}
	if json.Unmarshal([]byte(a.body), &m) != nil {
		return ""
	}
	switch {
	case m.Code != "":
		return m.Code
	case m.Error.Data.Code != "":
		return m.Error.Data.Code
	default:
		return strings.Trim(string(m.Error.Code), `"`)
	}
}

// want fails the test where the answer is another one; code empty: it is no
// denial.
func (a answer) want(t testing.TB, status int, code string) {
	t.Helper()
	if a.status != status || (status >= 400 || code != "") && a.code() != code {
		t.Errorf("answer %d %q, want %d %q; body %.300s", a.status, a.code(), status, code, a.body)
	}
}

// serverTLS has a certificate for name, signed by itself.
func serverTLS(t testing.TB, name string) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// clientTLS believes the server's certificate, and asks for name.
func (u *upstream) clientTLS(name string) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(u.Certificate())
	return &tls.Config{RootCAs: roots, ServerName: name}
}
