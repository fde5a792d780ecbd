package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
	"github.com/hopgate/hopgate/xds/secrets"
)

func newCA() *cobra.Command {
	c := &cobra.Command{
		Use:   "ca",
		Short: "Make the CA by which TLS is inspected, or look at it",
		Long: strings.TrimSpace(`
A rule with 'tls: Inspect' has the gateway end the TLS of a tunnel, decide each request
in it, and speak TLS to the destination itself. For that it mints certificates, by a CA
that the agents trust. Who has the CA's key can read what they trust it for: it is in
the state folder, and stays there.`),
		Example: `  hopgate ca init --permit example.com
  hopgate ca show`,
		RunE: help,
	}
	c.AddCommand(newCAInit(), newCAShow())
	return c
}

func newCAInit() *cobra.Command {
	var state string
	var days int
	var permit []string
	var force bool
	c := &cobra.Command{
		Use:   "init",
		Short: "Make a CA in the state folder, and say how to trust it",
		Long: strings.TrimSpace(`
Init makes a CA: ca.pem, which agents are to trust, and ca.key, which nobody is to have.
With --permit it can sign for these domains and what is below them alone, whoever has
its key. 'hopgate run' uses it from its next start.`),
		Example: `  hopgate ca init
  hopgate ca init --permit example.com --permit example.org --days 90`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if days < 1 || days > 3650 {
				return errUsage{fmt.Errorf("--days is from 1 to 3650, not %d", days)}
			}
			now := time.Now()
			files, err := laptop.MakeCA(state, secrets.Params{
				Name: "hopgate " + now.UTC().Format(time.DateOnly), Permit: permit, Lifetime: time.Duration(days) * 24 * time.Hour,
			}, force, now)
			if err != nil {
				return err
			}
			return howToTrust(c.OutOrStdout(), files)
		},
	}
	fl := c.Flags()
	fl.IntVar(&days, "days", 365, "how many days it is valid")
	fl.StringArrayVar(&permit, "permit", nil, "a domain that it may sign for, with all below it; may be repeated")
	fl.BoolVar(&force, "force", false, "make another one where there is one: what trusts that must trust this one anew")
	stateFlag(c, &state, "it gets the CA")
	return c
}

func howToTrust(w io.Writer, files laptop.CAFiles) error {
	cert := shellWord(files.Cert)
	_, err := fmt.Fprintf(w, `The CA is made. Its key is %s: nobody else is to have it.

What agents run is to trust %s:

  curl             curl --cacert %[3]s
  OpenSSL, Go      export SSL_CERT_FILE=%[3]s
  Python requests  export REQUESTS_CA_BUNDLE=%[3]s
  Node             export NODE_EXTRA_CA_CERTS=%[3]s
  git              git config http.sslCAInfo %[3]s
  Java             keytool -importcert -noprompt -alias hopgate -cacerts -file %[3]s

SSL_CERT_FILE and REQUESTS_CA_BUNDLE are for agents alone, not for 'hopgate run': they
stand in the place of the system's own roots.

'hopgate run' uses it from its next start, for rules with 'tls: Inspect'.
`, files.Key, files.Cert, cert)
	return err
}

func newCAShow() *cobra.Command {
	var state string
	c := &cobra.Command{
		Use:   "show",
		Short: "Say what the CA in the state folder is",
		Long: strings.TrimSpace(`
Show says whom the CA of the state folder may sign for, until when, and by which
fingerprint it is known. It ends with 1 where the CA cannot be used.`),
		Example: `  hopgate ca show
  hopgate ca show -o json`,
		Args: cobra.NoArgs,
	}
	output := outputFlag(c, "text", "json")
	stateFlag(c, &state, "it has the CA")
	c.RunE = func(c *cobra.Command, _ []string) error {
		files := laptop.CAIn(state)
		ca, err := laptop.ReadCA(files, time.Now())
		if err != nil {
			return noCA(err)
		}
		return showCA(c.OutOrStdout(), files, ca, output.value)
	}
	return c
}

// noCA adds what to do about it.
func noCA(err error) error {
	if errors.Is(err, secrets.ErrCA) {
		return err
	}
	return fmt.Errorf("%w\n'hopgate ca init' makes one", err)
}

func showCA(w io.Writer, files laptop.CAFiles, ca *secrets.CA, output string) error {
	x := ca.Certificate()
	sum := sha256.Sum256(x.Raw)
	shown := struct {
		Name        string    `json:"name"`
		Certificate string    `json:"certificate"`
		NotAfter    time.Time `json:"notAfter"`
		SHA256      string    `json:"sha256"`
		Permits     []string  `json:"permits,omitempty"`
		Excludes    []string  `json:"excludes,omitempty"`
	}{x.Subject.String(), files.Cert, x.NotAfter.UTC(), hex.EncodeToString(sum[:]), x.PermittedDNSDomains, x.ExcludedDNSDomains}
	if output == "json" {
		return writeJSON(w, shown)
	}
	permits := "any name"
	if len(shown.Permits) > 0 {
		permits = strings.Join(shown.Permits, ", ") + ", and what is below"
	}
	_, err := fmt.Fprintf(w, "name         %q\ncertificate  %s\nvalid until  %s\nSHA-256      %s\nsigns for    %s\n",
		shown.Name, shown.Certificate, shown.NotAfter.Format(time.RFC3339), shown.SHA256, permits)
	return err
}

// caFlags name a CA that is elsewhere than in the state folder.
func caFlags(c *cobra.Command, files *laptop.CAFiles) {
	c.Flags().StringVar(&files.Cert, "ca-cert", "", "certificate of the CA by which TLS is inspected; else ca.pem in the state folder")
	c.Flags().StringVar(&files.Key, "ca-key", "", "its key; else ca.key in the state folder")
	c.MarkFlagsRequiredTogether("ca-cert", "ca-key")
	must(c.MarkFlagFilename("ca-cert", "pem", "crt"))
	must(c.MarkFlagFilename("ca-key", "pem", "key"))
}
