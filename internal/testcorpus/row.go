package testcorpus

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/internal/testenv"
)

// Clients of rows.
const (
	Connect  = "connect"       // Target is that of a CONNECT
	Absolute = "absolute-form" // Target is the request's URI
	TLS      = "tls-sni"       // captured TLS: Target is where it was sent
	HTTP     = "http-host"     // captured HTTP: likewise
	DNS      = "dns"           // NAME TYPE, or a transport and a destination
)

// Verdicts of rows.
const (
	Allow = "allow"
	Deny  = "deny"
)

// Row is one attempt. An empty string is no part of it.
type Row struct {
	ID     string `json:"id"`
	Class  string `json:"class"`
	Client string `json:"client"`
	Target string `json:"target"`
	SNI    string `json:"sni"`
	Host   string `json:"host"`
	Path   string `json:"path"`
	// Policy is one sentence.
	Policy string `json:"policy"`
	Expect string `json:"expect"`
	Why    string `json:"why"`
	Source string `json:"source"`
	Setup  Setup  `json:"setup"`

	// Rules is what Policy says.
	Rules Rules `json:"-"`
}

// Setup is what one line cannot hold.
type Setup struct {
	Method     string      `json:"method"`
	Headers    [][2]string `json:"headers"`
	RawRequest string      `json:"raw_request"`
	// Raw is the Host line of a request, escaped.
	Raw     string `json:"raw"`
	Version string `json:"version"`
	Body    string `json:"body"`
	H2      bool   `json:"h2"`
	// The pseudo-headers of HTTP/2, in the place of what the row says elsewhere.
	PseudoPath      string   `json:":path"`
	PseudoMethod    string   `json:":method"`
	PseudoScheme    string   `json:":scheme"`
	PseudoAuthority string   `json:":authority"`
	ContentType     string   `json:"content-type"`
	OmitHost        bool     `json:"omit_host"`
	Pipelined       []string `json:"pipelined"`
	EarlyData       bool     `json:"early_data"`
	Upgrade         string   `json:"requested_upgrade"`
	Transport       string   `json:"transport"`
	Atyp            string   `json:"atyp"`

	DNS         map[string][]string   `json:"dns"`
	DNSSequence map[string][][]string `json:"dns_sequence"`
	CNAME       map[string]string     `json:"cname"`
	DNSError    string                `json:"dns_error"`
	TTL         *int                  `json:"ttl"`
	Second      bool                  `json:"second_request"`

	Status         int       `json:"status"`
	Location       string    `json:"location"`
	ResponseHeader [2]string `json:"response_header"`
	Follow         string    `json:"follow"`
	Injected       string    `json:"injected"`
	Contains       string    `json:"response_contains"`

	FirstBytes *string  `json:"first_bytes"`
	TLS        string   `json:"tls"`
	SNIList    []string `json:"sni_list"`
	ECH        bool     `json:"ech"`
	Segments   int      `json:"segments"`
	TLSRecords int      `json:"tls_records"`
	HelloBytes int      `json:"hello_bytes"`
	MinVersion string   `json:"min_version"`
	MaxVersion string   `json:"max_version"`
	CertSAN    string   `json:"upstream_cert_san"`
	Cert       string   `json:"upstream_cert"`

	Tunnel string `json:"tunnel"`
	Event  string `json:"event"`
	Judge  any    `json:"judge"`
	Assert string `json:"assert"`

	// What follows is told to a person, and to tests of what it is about.
	Agent       string   `json:"agent"`
	Agents      int      `json:"agents"`
	Pods        int      `json:"pods"`
	Pod         string   `json:"pod"`
	State       string   `json:"state"`
	Keys        []string `json:"keys"`
	Seen        int      `json:"seen"`
	Limit       string   `json:"limit"`
	Denials     int      `json:"denials_per_agent"`
	BytesUp     int64    `json:"bytes_up"`
	AgeHours    float64  `json:"published_age_h"`
	SHA512      string   `json:"sha512"`
	ParentProxy string   `json:"parent_proxy"`
	Environment string   `json:"env"`
	EtcHosts    string   `json:"etc_hosts"`
	unknown     []string
}

// Unknown are the fields that nobody here understands: what a row with such a
// field asks for cannot be tried.
func (s *Setup) Unknown() []string { return s.unknown }

// Method is what the row asks for: a call by gRPC is a POST.
func (r *Row) Method() string {
	s := &r.Setup
	switch {
	case s.PseudoMethod != "":
		return s.PseudoMethod
	case s.Method != "":
		return s.Method
	case strings.HasPrefix(s.ContentType, "application/grpc"):
		return "POST"
	}
	return "GET"
}

// Authority is the host that the row's request names.
func (r *Row) Authority() string {
	if r.Setup.PseudoAuthority != "" {
		return r.Setup.PseudoAuthority
	}
	return r.Host
}

// Spared is the address that must see nothing, as the row asserts, whatever else
// comes of it; not valid: the row names none.
func (r *Row) Spared() netip.Addr {
	for _, words := range []string{"must not reach ", "no connection to "} {
		_, rest, _ := strings.Cut(r.Setup.Assert, words)
		text, _, _ := strings.Cut(rest, " ")
		if a, err := netip.ParseAddr(strings.TrimRight(text, ".,;")); err == nil {
			return a
		}
	}
	return netip.Addr{}
}

// HasDNS reports whether the row says what names lead to.
func (s *Setup) HasDNS() bool {
	return len(s.DNS)+len(s.DNSSequence)+len(s.CNAME) > 0 || s.DNSError != ""
}

// UnmarshalJSON reads a Setup, field by field, and notes what is unknown or of
// another kind than is known: the rest of the file is still to be tried.
func (s *Setup) UnmarshalJSON(b []byte) error {
	type plain Setup
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	for k, v := range all {
		one := fmt.Appendf(nil, "{%q:%s}", k, v)
		d := json.NewDecoder(bytes.NewReader(one))
		d.DisallowUnknownFields()
		if err := d.Decode((*plain)(&Setup{})); err != nil {
			s.unknown = append(s.unknown, k)
			continue
		}
		if err := json.Unmarshal(one, (*plain)(s)); err != nil {
			return err
		}
	}
	slices.Sort(s.unknown)
	return nil
}

// errRow means that a line is no row.
var errRow = errors.New("malformed row")

// Read reads rows. A field that is unknown is an error, but for those of the
// setup.
func Read(r io.Reader) ([]Row, error) {
	var out []Row
	seen := map[string]bool{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<22)
	g := newGrammar()
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		row, err := readRow(lines.Bytes(), g)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", len(out)+1, err)
		}
		if seen[row.ID] {
			return nil, fmt.Errorf("line %d: %w: %s is there twice", len(out)+1, errRow, row.ID)
		}
		seen[row.ID] = true
		out = append(out, row)
	}
	return out, lines.Err()
}

func readRow(line []byte, g *grammar) (Row, error) {
	var row Row
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&row); err != nil {
		return Row{}, fmt.Errorf("%w: %w", errRow, err)
	}
	known := slices.Contains([]string{Connect, Absolute, TLS, HTTP, DNS}, row.Client)
	switch {
	case row.ID == "" || row.Class == "" || row.Policy == "":
		return Row{}, fmt.Errorf("%w: id, class and policy are needed", errRow)
	case row.Expect != Allow && row.Expect != Deny:
		return Row{}, fmt.Errorf("%w: %s: expect is %q", errRow, row.ID, row.Expect)
	case !known:
		return Row{}, fmt.Errorf("%w: %s: client is %q", errRow, row.ID, row.Client)
	}
	row.Rules = g.parse(row.Policy)
	return row, nil
}

// FileEnv names one more file of rows that tests are to try.
const FileEnv = "HOPGATE_CORPUS"

// Set is a file of rows.
type Set struct {
	Name string
	// Committed: it is one of ours, and each row of it is understood.
	Committed bool
	Rows      []Row
}

// Sets are the files that are committed, and the one that FileEnv names.
func Sets(t testing.TB) []Set {
	t.Helper()
	dir := filepath.Join(testenv.Root(t), "authz", "surface", "egress", "testdata")
	out := []Set{load(t, filepath.Join(dir, "egress.jsonl")), load(t, filepath.Join(dir, "beyond.jsonl"))}
	out[0].Committed, out[1].Committed = true, true
	if path := os.Getenv(FileEnv); path != "" {
		out = append(out, load(t, path))
	}
	return out
}

func load(t testing.TB, path string) Set {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := Read(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return Set{Name: filepath.Base(path), Rows: rows}
}

// Rows are those of all sets.
func Rows(t testing.TB) []Row {
	t.Helper()
	var out []Row
	for _, s := range Sets(t) {
		out = append(out, s.Rows...)
	}
	return out
}

// Excuses say why a row may differ at a level, by ID and level. There is no
// other excuse.
func Excuses(t testing.TB) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(testenv.Root(t), "authz", "surface", "egress", "testdata", "excuses.txt"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.SplitN(line, " ", 3)
		if len(f) < 3 || out[f[0]+" "+f[1]] != "" {
			t.Fatalf("excuse %q: ID LEVEL REASON, and each once", line)
		}
		out[f[0]+" "+f[1]] = f[2]
	}
	return out
}
