package egress_test

import (
	"strings"
	"testing"

	"github.com/hopgate/hopgate/authz/surface/egress"
)

func TestCanonicalPathAccepts(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/": "/", "/a": "/a", "/a/": "/a/", "/a/b.c/~d_e-f": "/a/b.c/~d_e-f", "/...": "/...", "/.a/..b": "/.a/..b",
		"/a?": "/a", "/a?x=1&y=%2F..%00": "/a", "/a??": "/a", "/?": "/", "/a?b/../c": "/a", "/a?x=;y": "/a",
		"/@scope/x": "/@scope/x", "/%40scope/x": "/@scope/x", "/a%2bb": "/a+b", "/%61%7E": "/a~", "/a%20b": "/a%20b",
		"/%e4%b8%ad": "/%E4%B8%AD", "/%E4%b8%AD?q=%e4": "/%E4%B8%AD", "/a%7cb%22": "/a%7Cb%22", "/sha256:00": "/sha256:00",
		"/a,b=c&d*'()!$": "/a,b=c&d*'()!$", "/%2e%2e%2e": "/...", "/a%5bb%5D": "/a%5Bb%5D", "/caf%C3%A9": "/caf%C3%A9",
		"/" + strings.Repeat("a", 4095): "/" + strings.Repeat("a", 4095),
	} {
		got, err := egress.CanonicalPath(in)
		if err != nil || got != want {
			t.Errorf("%.60q: %.60q, %v, want %.60q", in, got, err, want)
		}
	}
}

func TestCanonicalPathRefuses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]egress.Reason{
		"": egress.ReasonPathForm, "*": egress.ReasonPathForm, "a": egress.ReasonPathForm, "?x": egress.ReasonPathForm,
		"http://a.example/": egress.ReasonPathForm, `\a`: egress.ReasonPathForm, "%2fa": egress.ReasonPathForm,
		"//": egress.ReasonEmptySegment, "//a": egress.ReasonEmptySegment, "/a//b": egress.ReasonEmptySegment, "/a//": egress.ReasonEmptySegment,
		"/.": egress.ReasonDots, "/..": egress.ReasonDots, "/a/./b": egress.ReasonDots, "/a/../b": egress.ReasonDots, "/a/..": egress.ReasonDots,
		"/%2e": egress.ReasonDots, "/a/%2E./b": egress.ReasonDots, "/a/.%2e": egress.ReasonDots,
		"/a%2fb": egress.ReasonDelimiter, "/a%2Fb": egress.ReasonDelimiter, "/a%5cb": egress.ReasonDelimiter, "/a%3fb": egress.ReasonDelimiter,
		"/a%23b": egress.ReasonDelimiter, "/a%00": egress.ReasonDelimiter, "/a%0d%0ab": egress.ReasonDelimiter, "/a%7f": egress.ReasonDelimiter,
		"/a%25": egress.ReasonDouble, "/%252e%252e/": egress.ReasonDouble, "/%25252e": egress.ReasonDouble,
		"/a;b": egress.ReasonParameter, "/..;/a": egress.ReasonParameter, "/a%3bb": egress.ReasonParameter, "/a;": egress.ReasonParameter,
		`/a\b`: egress.ReasonPathBytes, "/a b": egress.ReasonPathBytes, "/a\x00": egress.ReasonPathBytes, "/a\xff": egress.ReasonPathBytes,
		"/é": egress.ReasonPathBytes, "/a|b": egress.ReasonPathBytes, "/<a>": egress.ReasonPathBytes, "/a\tb": egress.ReasonPathBytes,
		"/a?x=\x00": egress.ReasonPathBytes, "/a?x= HTTP/1.1": egress.ReasonPathBytes, "/a?é": egress.ReasonPathBytes, "/a?x=\x7f": egress.ReasonPathBytes,
		"/a#b": egress.ReasonFragment, "/a?x#b": egress.ReasonFragment,
		"/%": egress.ReasonEscape, "/%2": egress.ReasonEscape, "/%zz": egress.ReasonEscape, "/%2g": egress.ReasonEscape, "/%u002e": egress.ReasonEscape,
		"/%c0%ae%c0%ae/": egress.ReasonEscape, "/%c0%af": egress.ReasonEscape, "/%e0%80%ae": egress.ReasonEscape, "/%ff": egress.ReasonEscape,
		"/%ed%a0%80": egress.ReasonEscape, "/%e4%b8": egress.ReasonEscape,
		"/%EF%BC%8E%EF%BC%8E/": egress.ReasonDelimiter, "/a%EF%BC%8Fb": egress.ReasonDelimiter, "/a%E2%88%95b": egress.ReasonDelimiter,
		"/%E2%80%A5/": egress.ReasonDelimiter, "/a%EF%BC%BCb": egress.ReasonDelimiter, "/a%C2%85": egress.ReasonDelimiter,
		"/" + strings.Repeat("a", 4096): egress.ReasonPathLong,
	} {
		got, err := egress.CanonicalPath(in)
		if err == nil || got != "" || reasonOf(t, err) != string(want) {
			t.Errorf("%.60q: %.60q, %v, want %s", in, got, err, want)
		}
	}
}

func TestKeptPathAccepts(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/a": "/a", "/a/": "/a/", "/%61?x=%2F..": "/a", "/a%2bb": "/a+b",
		"/group%2Fproject": "/group%2Fproject", "/group%2fproject": "/group%2Fproject", "/a%2fb%2Fc/d%2fe": "/a%2Fb%2Fc/d%2Fe",
		"/p/%67roup%2fproject/files/": "/p/group%2Fproject/files/", "/a%2F.b": "/a%2F.b", "/a%2F...": "/a%2F...", "/a..%2Fb": "/a..%2Fb",
		"/a%2fb?x=%2f%2e%2e%2f": "/a%2Fb", "/%40scope%2fx": "/@scope%2Fx", "/caf%c3%a9%2fb": "/caf%C3%A9%2Fb", "/a%2F%20": "/a%2F%20",
	} {
		got, err := egress.KeptPath(in)
		if err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", in, got, err, want)
		}
	}
}

// TestKeptPathRefuses what is refused without encoded slashes, and what is
// another path to who undoes them.
func TestKeptPathRefuses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]egress.Reason{
		"": egress.ReasonPathForm, "*": egress.ReasonPathForm, "%2fa": egress.ReasonPathForm, "http://a.example/b%2fc": egress.ReasonPathForm,
		"//a%2fb": egress.ReasonEmptySegment, "/a//b%2fc": egress.ReasonEmptySegment, "/a%2fb//": egress.ReasonEmptySegment,
		"/%2f": egress.ReasonEmptySegment, "/%2fa": egress.ReasonEmptySegment, "/a/%2fb": egress.ReasonEmptySegment, "/a%2f/b": egress.ReasonEmptySegment,
		"/a%2f%2fb": egress.ReasonEmptySegment, "/a%2F%2fb/c": egress.ReasonEmptySegment, "/a%2f": egress.ReasonEmptySegment, "/a/b%2F": egress.ReasonEmptySegment,
		"/a%2f?b": egress.ReasonEmptySegment, "/https:%2f%2fevil.example": egress.ReasonEmptySegment, "/%2fevil.example/a": egress.ReasonEmptySegment,
		"/public/..%2fadmin": egress.ReasonDots, "/public/%2e%2e%2fadmin": egress.ReasonDots, "/public/%2E.%2Fadmin": egress.ReasonDots,
		"/a%2f..%2fb": egress.ReasonDots, "/a%2f..": egress.ReasonDots, "/a%2f../b": egress.ReasonDots, "/a%2f.": egress.ReasonDots, "/.%2fa": egress.ReasonDots,
		"/a/..%2f..%2fb": egress.ReasonDots, "/a%2f%2e%2e%2fb": egress.ReasonDots, "/a/../b%2fc": egress.ReasonDots, "/a%2fb/.": egress.ReasonDots,
		"/a%252fb": egress.ReasonDouble, "/a%2fb%252fc": egress.ReasonDouble, "/a%25%32%66b": egress.ReasonDouble, "/a%2fb%25": egress.ReasonDouble,
		"/a%2fb%5cc": egress.ReasonDelimiter, "/..%5c..%2fa": egress.ReasonDelimiter, "/a%2fb%00": egress.ReasonDelimiter, "/a%2fb%3fc": egress.ReasonDelimiter,
		"/a%2fb%23c": egress.ReasonDelimiter, "/a%2fb%0d%0a": egress.ReasonDelimiter, "/a%2fb%EF%BC%8Fc": egress.ReasonDelimiter,
		"/a%2f%EF%BC%8E%EF%BC%8E%2fb": egress.ReasonDelimiter,
		"/a%2fb;c":                    egress.ReasonParameter, "/a%2f..;%2fb": egress.ReasonParameter, "/a%2fb%3bc": egress.ReasonParameter,
		`/a%2fb\c`: egress.ReasonPathBytes, "/a%2f b": egress.ReasonPathBytes, "/a%2fb#c": egress.ReasonFragment,
		"/a%2": egress.ReasonEscape, "/a%2fb%c0%af": egress.ReasonEscape, "/a%2fb%u002f": egress.ReasonEscape, "/a%2fb%ff": egress.ReasonEscape,
		"/a%2f" + strings.Repeat("a", 4096): egress.ReasonPathLong,
	} {
		got, err := egress.KeptPath(in)
		if err == nil || got != "" || reasonOf(t, err) != string(want) {
			t.Errorf("%.60q: %.60q, %v, want %s", in, got, err, want)
		}
	}
}
