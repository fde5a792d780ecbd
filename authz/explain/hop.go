package explain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Hop is a hop as a person writes it. Everything that is left out is not
// there: no peer, no token, no arguments.
type Hop struct {
	// Gateway is NAMESPACE/NAME; empty: the only one there is.
	Gateway string `yaml:"gateway"`
	// Listener is needed without a route; empty: the Gateway's only proxy.
	Listener string `yaml:"listener"`
	// Route is NAMESPACE/NAME of an HTTPRoute, Rule its rule's name or #N;
	// empty: the first.
	Route string `yaml:"route"`
	Rule  string `yaml:"rule"`
	// Peer is the SPIFFE ID of the connection, or of a query for a name the
	// address that it came from.
	Peer  string `yaml:"peer"`
	Token *Token `yaml:"token"`
	Do    Do     `yaml:"do"`
}

// Token is what a verified token says.
type Token struct {
	// Domain is the TrustDomain, NAMESPACE/NAME; empty: the listener's first.
	Domain  string   `yaml:"domain"`
	Subject string   `yaml:"subject"`
	Agent   string   `yaml:"agent"`
	Txn     string   `yaml:"txn"`
	Scopes  []string `yaml:"scopes"`
	Context Object   `yaml:"context"`
	// ExpiresIn is how long it still lives; absent: an hour.
	ExpiresIn *time.Duration `yaml:"expiresIn"`
}

// Do is what the hop does.
type Do struct {
	// Surface is Tools, Models, HTTP, Hosts or Packages, or DNS for a query; empty:
	// the route's.
	Surface string `yaml:"surface"`
	// Method is the JSON-RPC method, the operation or the HTTP method; empty:
	// tools/call, chat, GET, CONNECT, artifact. Of a query the type; empty: A.
	Method string `yaml:"method"`
	// Name is the tool, the model or the package.
	Name string `yaml:"name"`
	Args Object `yaml:"args"`
	Host string `yaml:"host"`
	Port uint16 `yaml:"port"`
	Path string `yaml:"path"`
	// Headers and Query are what the request says in headers and parameters
	// that rules look at, each once and plainly.
	Headers map[string]string `yaml:"headers"`
	Query   map[string]string `yaml:"query"`
	// Override is another method that the request asks for.
	Override string `yaml:"override"`
	// Inspected is true of a request inside of a tunnel whose TLS ended at the
	// gateway.
	Inspected bool `yaml:"inspected"`
	// Age is how old a release is, for Packages; absent: nobody knows. Pinned is
	// true of what is asked for by a digest or a whole commit.
	Age    *time.Duration `yaml:"age"`
	Pinned bool           `yaml:"pinned"`
	// OutputTokens and RequestBytes are what limits look at.
	OutputTokens int64 `yaml:"outputTokens"`
	RequestBytes int64 `yaml:"requestBytes"`
}

// Object is a JSON object, which may be written as YAML. Empty: there is none.
type Object []byte

// UnmarshalYAML takes an object as JSON. What YAML would read as a date is the
// text that it is.
func (o *Object) UnmarshalYAML(n *yaml.Node) error {
	asText(n)
	var v any
	if err := n.Decode(&v); err != nil {
		return err
	}
	b, err := json.Marshal(v)
	if err != nil || b[0] != '{' {
		return fmt.Errorf("line %d: this is no JSON object", n.Line)
	}
	*o = b
	return nil
}

func asText(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!timestamp" {
		n.Tag = "!!str"
	}
	for _, c := range n.Content {
		asText(c)
	}
}

// ReadHop reads a hop from YAML. A field that is not known, or there twice, is
// an error with its line.
func ReadHop(text []byte) (*Hop, error) {
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	var h Hop
	switch err := d.Decode(&h); {
	case errors.Is(err, io.EOF):
		return nil, errors.New("read hop: there is nothing in it")
	case err != nil:
		return nil, fmt.Errorf("read hop: %s", plainly(err))
	}
	if !errors.Is(d.Decode(new(yaml.Node)), io.EOF) {
		return nil, errors.New("read hop: a second document begins in it")
	}
	return &h, nil
}

// plainly words an error of the parser on one line, without the names of our
// types.
func plainly(err error) string {
	unknown := regexp.MustCompile(`field (\S+) not found in type \S+$`)
	misplaced := regexp.MustCompile(`cannot unmarshal (\S+) (.*)into \S+$`)
	texts := []string{err.Error()}
	if several, ok := errors.AsType[*yaml.TypeError](err); ok {
		texts = slices.Clone(several.Errors)
	}
	for i, text := range texts {
		text = unknown.ReplaceAllString(text, "there is no field ${1}")
		text = misplaced.ReplaceAllString(text, "${2}(${1}) does not belong here")
		texts[i] = strings.TrimPrefix(text, "yaml: ")
	}
	return strings.Join(texts, "; ")
}
