package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/authz/token"
	"github.com/hopgate/hopgate/cmd/hopgate/laptop"
)

// believedFor is how long a token may live unless its TrustDomain says more.
const believedFor = 15 * time.Minute

type signFlags struct {
	token.Params
	context []string
	issued  time.Duration
	state   string
	output  *choice
}

func newTokenSign() *cobra.Command {
	var f signFlags
	c := &cobra.Command{
		Use:   "sign --subject NAME",
		Short: "Make a token with the key of the state folder, for development",
		Long: strings.TrimSpace(`
Sign makes a transaction token that the built-in TrustDomain of 'hopgate run' believes,
and prints it, and nothing else, to standard output. The key is the state folder's; it
is made where there is none.

The agent is the one that rules look at (from.agents); actors are those that it acts
for. Values of --context are texts; with := they are JSON. To see how a bad token is
refused, issue it in the past, or for another audience.`),
		Example: `  TOKEN=$(hopgate token sign --subject alice --agent researcher --scope web.read)
  hopgate token sign --subject alice --agent summarizer --actor researcher --txn job-7
  hopgate token sign --subject alice --context region=eu --context limit:=5
  hopgate token sign --subject alice --issued -1h       # has expired`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return sign(c.OutOrStdout(), c.ErrOrStderr(), f) },
	}
	fl := c.Flags()
	fl.StringVar(&f.Subject, "subject", "", "for whom the transaction is: a user or a system (sub)")
	fl.StringVar(&f.Agent, "agent", "", "the agent that makes the hop (act.sub); empty: none is named")
	fl.StringArrayVar(&f.Actors, "actor", nil, "an agent that --agent acts for, newest first; may be repeated")
	fl.StringArrayVar(&f.Scopes, "scope", nil, "what the transaction may do (scope); may be repeated")
	fl.StringVar(&f.Txn, "txn", "", "the transaction (txn); empty: a new one")
	fl.StringArrayVar(&f.context, "context", nil, "KEY=TEXT or KEY:=JSON of the transaction's context (tctx); may be repeated")
	fl.StringVar(&f.Audience, "audience", laptop.LocalAudience, "the trust domain (aud)")
	fl.StringVar(&f.Issuer, "issuer", "", "the service that issues it (iss); empty: none is named")
	fl.DurationVar(&f.Lifetime, "ttl", 10*time.Minute, "how long it lives (exp - iat)")
	fl.DurationVar(&f.issued, "issued", 0, "when it is issued (iat), from now: -1h is an hour ago")
	stateFlag(c, &f.state, "it has the key, or gets one")
	f.output = outputFlag(c, "text", "json")
	must(c.MarkFlagRequired("subject"))
	return c
}

func sign(out, notes io.Writer, f signFlags) error {
	if f.Lifetime < time.Second {
		return errUsage{fmt.Errorf("--ttl is at least 1s, not %s", f.Lifetime)}
	}
	if len(f.Actors) > 0 && f.Agent == "" {
		return errUsage{errors.New("--actor is somebody that --agent acts for, and that is not given")}
	}
	var err error
	if f.Context, err = contextOf(f.context); err != nil {
		return err
	}
	key, err := laptop.OpenLocalKey(f.state)
	if err != nil {
		return err
	}
	f.IssuedAt = time.Now().Add(f.issued)
	secret, err := key.Mint(f.Params, rand.Reader)
	if err != nil {
		return err
	}
	if f.Lifetime > believedFor {
		fmt.Fprintln(notes, "hopgate: --ttl is above 15m: such a token is believed only where the TrustDomain's maxLifetime says so")
	}
	if f.output.value == "json" {
		return signedJSON(out, string(secret))
	}
	_, err = fmt.Fprintln(out, string(secret))
	return err
}

func signedJSON(w io.Writer, signed string) error {
	_, rest, _ := strings.Cut(signed, ".")
	payload, _, _ := strings.Cut(rest, ".")
	claims, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return fmt.Errorf("read claims: %w", err)
	}
	return writeJSON(w, struct {
		Token  string          `json:"token"`
		Claims json.RawMessage `json:"claims"`
	}{signed, claims})
}

// contextOf reads KEY=TEXT and KEY:=JSON.
func contextOf(pairs []string) (map[string]any, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	out := map[string]any{}
	for _, p := range pairs {
		key, text, ok := strings.Cut(p, "=")
		name, isJSON := strings.CutSuffix(key, ":")
		if !ok || name == "" {
			return nil, errUsage{fmt.Errorf("--context is KEY=TEXT or KEY:=JSON, not %q", p)}
		}
		if _, twice := out[name]; twice {
			return nil, errUsage{fmt.Errorf("--context has %q twice", name)}
		}
		out[name] = text
		if isJSON {
			if !json.Valid([]byte(text)) {
				return nil, errUsage{fmt.Errorf("--context %s is no JSON; a text is written %s=TEXT", name, name)}
			}
			out[name] = json.RawMessage(text)
		}
	}
	return out, nil
}
