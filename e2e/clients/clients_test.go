package clients

import (
	"regexp"
	"strings"
)

// client is a program that goes through the gateway by what the page says.
type client struct {
	name string
	// needs are commands that end well where it can be tried; version is one that
	// prints which it is.
	needs   []string
	version string
	// shows is what it prints when all is well.
	shows string
	// tells find, in what it prints when it is refused, the words that say why:
	// the first that finds any.
	tells []string
	// uncut is one that takes long to start: it is not tried half-way.
	uncut bool
}

const (
	hello = "hello, this is hello\n"
	text  = "hello, this is hello.txt\n"
	node  = "node --version"
)

// clients are all of them, those that start soonest first.
func clients() []client {
	const tunnel = `Tunnel connection failed: [0-9][^'>\n]*`
	return []client{
		{name: "curl", version: "curl --version", shows: text, tells: []string{`curl: [^\n]*`}},
		{name: "git", version: "git --version", shows: hello, tells: []string{`(?:CONNECT|The requested|Received) [^\n]*`, `fatal: [^\n]*`}},
		{name: "go", version: "go version", shows: "go: added example.com/hello v1.0.0\n", tells: []string{`Get "[^"\n]*": [^\n]*`, `reading https:[^\n]*`, `unexpected EOF|connection reset[^\n]*`, `go: [^\n]*`}},
		{name: "cargo", version: "cargo --version", shows: "Downloaded hello v1.0.0", tells: []string{`\[[0-9]+\] [^\n]*`, `error: [^\n]*`}},
		{name: "urllib", version: "python3 --version", shows: text, tells: []string{tunnel, `[A-Za-z.]+(?:Error|Read): [^\n]*`}},
		{name: "pip", version: "python3 -m pip --version", shows: hello, tells: []string{tunnel, `ERROR: No matching [^\n]*`, `ERROR: [^\n]*`}},
		{
			name: "requests", version: "python3 -c 'import requests; print(requests.__version__)'", shows: text,
			tells: []string{tunnel, `requests\.[A-Za-z.]+: [^\n]*`},
		},
		{
			name: "httpx", version: "python3 -c 'import httpx; print(httpx.__version__)'", shows: text,
			tells: []string{`httpx\.[A-Za-z.]+: [^\n]*`},
		},
		{
			name: "fetch", version: node, shows: text, tells: []string{`Proxy response [^\n]*`, `[A-Za-z.]*Error: [^\n]*`},
			needs: []string{node + ` | grep -qE '^v(2[4-9]|[3-9][0-9]|22\.(2[1-9]|[3-9][0-9]))'`},
		},
		{
			name: "undici", version: `node -p "require('undici/package.json').version"`, shows: text,
			tells: []string{`Proxy response [^\n]*`, `[A-Za-z.]*Error: [^\n]*`},
		},
		{
			name: "npm", version: "npm --version", needs: []string{node}, shows: hello,
			tells: []string{`npm (?:ERR!|error) [0-9]{3} [^\n]*`, `npm (?:ERR!|error) [^\n]*`}, uncut: true,
		},
		{
			name: "chromium", version: "chromium --version --no-sandbox", needs: []string{node, "command -v certutil"}, shows: text,
			tells: []string{`net::[A-Z_]+`}, uncut: true,
		},
		{
			name: "java", version: "java -version", needs: []string{"java --list-modules | grep -q jdk.compiler", "command -v keytool"}, shows: text,
			tells: []string{`Exception: [^\n]*`}, uncut: true,
		},
	}
}

// told are the words of a client that say why it was refused: the gateway's
// own, where they got through.
func (c client) told(printed string) string {
	for _, e := range append([]string{`"code":"[a-z_]+"`}, c.tells...) {
		if found := regexp.MustCompile(e).FindString(printed); found != "" {
			return strings.TrimSpace(regexp.MustCompile(`[^\s'"]*/hg[0-9]+/[^\s'"]*/`).ReplaceAllString(found, "…/"))
		}
	}
	return ""
}
