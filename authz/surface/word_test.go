package surface

import (
	"net/url"
	"strings"
	"testing"
)

func TestParameterWord(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, query string
		want        Word
	}{
		{"alone", "project=acme", Word{Text: "acme"}},
		{"among others", "a=1&project=acme&b", Word{Text: "acme"}},
		{"beside empty ones", "&&project=acme&", Word{Text: "acme"}},
		{"with a slash", "project=acme/x", Word{Text: "acme/x"}},
		{"with an encoded slash", "project=acme%2Fx", Word{Text: "acme/x"}},
		{"with an encoded slash, in lower case", "project=acme%2fx", Word{Text: "acme/x"}},
		{"with an encoded space", "project=a%20b", Word{Text: "a b"}},
		{"with an equals sign", "project=a=b", Word{Text: "a=b"}},
		{"beyond ASCII", "project=%C3%BC", Word{Text: "ü"}},
		{"beside what is encoded twice", "q=a%2526b&project=acme", Word{Text: "acme"}},
		{"beside a longer name", "projects=evil&project=acme&my_project=evil", Word{Text: "acme"}},

		{"nothing", "", Word{Doubt: DoubtMissing}},
		{"another", "a=project", Word{Doubt: DoubtMissing}},
		{"without a value", "project", Word{Doubt: DoubtMissing}},
		{"with an empty value", "project=", Word{Doubt: DoubtMissing}},
		{"twice", "project=acme&project=acme", Word{Doubt: DoubtTwice}},
		{"twice, once without a value", "project=acme&project", Word{Doubt: DoubtTwice}},
		{"in another case", "project=acme&Project=evil", Word{Doubt: DoubtTwice}},
		{"only in another case", "PROJECT=acme", Word{Doubt: DoubtTwice}},
		{"its name encoded", "project=acme&%70roject=evil", Word{Doubt: DoubtTwice}},
		{"its name encoded twice", "project=acme&%2570roject=evil", Word{Doubt: DoubtTwice}},
		{"its name encoded badly", "project=acme&%7zroject=evil", Word{Doubt: DoubtTwice}},
		{"as a list", "project=acme&project[]=evil", Word{Doubt: DoubtTwice}},
		{"as a list, encoded", "project=acme&project%5B0%5D=evil", Word{Doubt: DoubtTwice}},
		{"as an object", "project=acme&project[id]=evil", Word{Doubt: DoubtTwice}},
		{"as a member", "project=acme&project.id=evil", Word{Doubt: DoubtTwice}},
		{"behind a space", "project=acme&%20project=evil", Word{Doubt: DoubtTwice}},
		{"before a NUL", "project=acme&project%00=evil", Word{Doubt: DoubtTwice}},
		{"before a NUL and more", "project=acme&project%00x=evil", Word{Doubt: DoubtTwice}},
		{"beside a name that is no UTF-8", "project=acme&%C1%B0roject=evil", Word{Doubt: DoubtTwice}},
		{"behind a few others", strings.Repeat("a&", maxParameters-1) + "project=acme", Word{Text: "acme"}},
		{"behind more than servers read", strings.Repeat("a&", maxParameters) + "project=acme", Word{Doubt: DoubtLong}},
		{"behind a semicolon", "project=acme;project=evil", Word{Doubt: DoubtForm}},
		{"where there is a semicolon", "a=1;b=2&project=acme", Word{Doubt: DoubtForm}},
		{"with a plus", "project=a+b", Word{Doubt: DoubtForm}},
		{"encoded without need", "project=%61cme", Word{Doubt: DoubtForm}},
		{"encoded twice", "project=a%252Fb", Word{Doubt: DoubtForm}},
		{"with an encoded separator", "project=acme%26project%3Devil", Word{Doubt: DoubtForm}},
		{"with a NUL", "project=acme%00", Word{Doubt: DoubtForm}},
		{"with a line feed", "project=acme%0A", Word{Doubt: DoubtForm}},
		{"no UTF-8", "project=%FF", Word{Doubt: DoubtForm}},
		{"half an escape", "project=acme%2", Word{Doubt: DoubtForm}},
		{"a quote", `project="acme"`, Word{Doubt: DoubtForm}},
		{"bytes that belong encoded", "project=acme\xff", Word{Doubt: DoubtForm}},
		{"a fragment", "project=acme#x", Word{Doubt: DoubtForm}},
		{"too long", "project=acme&x=" + strings.Repeat("x", maxQuery), Word{Doubt: DoubtLong}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := ParameterWord(tc.query, "project"); got != tc.want {
				t.Errorf("ParameterWord(%q) = %+v, want %+v", tc.query, got, tc.want)
			}
		})
	}
}

// FuzzParameterWord: what is told without a doubt is what net/url reads, in the
// first of its values and in all of them, by this name alone; and it is so as
// well when a server decodes the value once more.
func FuzzParameterWord(f *testing.F) {
	for _, s := range []string{
		"project=acme", "a=1&project=acme%2Fx&b", "project=a&Project=b", "project=a;project=b", "project=%61", "project[]=a", "project=a+b", "&project=%C3%BC",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		w := ParameterWord(query, "project")
		if w.Doubt != "" {
			return
		}
		values, err := url.ParseQuery(query)
		if err == nil && (len(values["project"]) != 1 || values.Get("project") != w.Text) {
			t.Errorf("%q is read as %q, and by net/url as %q", query, w.Text, values["project"])
		}
		if again, err := url.QueryUnescape(w.Text); !strings.Contains(w.Text, "+") && (err != nil || again != w.Text) {
			t.Errorf("%q is read as %q, and twice as %q", query, w.Text, again)
		}
		for name := range values {
			if name != "project" && strings.EqualFold(name, "project") {
				t.Errorf("%q has %q too", query, name)
			}
		}
	})
}

func TestHeaderWord(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		headers [][2]string
		want    Word
	}{
		{"alone", [][2]string{{"x-tenant", "acme"}}, Word{Text: "acme"}},
		{"among others", [][2]string{{"host", "a"}, {"x-tenant", "acme"}, {"x-tenants", "evil"}}, Word{Text: "acme"}},
		{"with a space inside", [][2]string{{"x-tenant", "acme corp"}}, Word{Text: "acme corp"}},
		{"nothing", nil, Word{Doubt: DoubtMissing}},
		{"empty", [][2]string{{"x-tenant", ""}}, Word{Doubt: DoubtMissing}},
		{"twice", [][2]string{{"x-tenant", "acme"}, {"x-tenant", "acme"}}, Word{Doubt: DoubtTwice}},
		{"with an underscore", [][2]string{{"x-tenant", "acme"}, {"x_tenant", "evil"}}, Word{Doubt: DoubtTwice}},
		{"a list", [][2]string{{"x-tenant", "acme, evil"}}, Word{Text: "acme, evil", Doubt: DoubtList}},
		{"with a parameter", [][2]string{{"x-tenant", "acme;x=y"}}, Word{Text: "acme;x=y", Doubt: DoubtList}},
		{"quoted", [][2]string{{"x-tenant", `"acme"`}}, Word{Text: `"acme"`, Doubt: DoubtList}},
		{"a space at the end", [][2]string{{"x-tenant", "acme "}}, Word{Text: "acme ", Doubt: DoubtForm}},
		{"a tab", [][2]string{{"x-tenant", "ac\tme"}}, Word{Text: "ac\tme", Doubt: DoubtForm}},
		{"beyond ASCII", [][2]string{{"x-tenant", "acmé"}}, Word{Text: "acmé", Doubt: DoubtForm}},
		{"too long", [][2]string{{"x-tenant", strings.Repeat("x", maxWord+1)}}, Word{Doubt: DoubtLong}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := HeaderWord("x-tenant", func(f func(key, value string)) {
				for _, h := range tc.headers {
					f(h[0], h[1])
				}
			})
			if got != tc.want {
				t.Errorf("HeaderWord = %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestMethodParameter(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"": "-", "a=b": "-", "method=DELETE": "-", "_methods=DELETE": "-",
		"_method=DELETE": "DELETE", "a=b&_method=PUT": "PUT", "_METHOD=PUT": "PUT", "%5Fmethod=PUT": "PUT", "a;_method=PUT": "PUT",
		"_method=PUT&_method=GET": "", "_method": "",
		".method=PUT": "PUT", "%2Emethod=PUT": "PUT", "+_method=PUT": "PUT", "%20_method=PUT": "PUT", "[_method]=PUT": "PUT", "_method%00x=PUT": "PUT",
		"_HttpMethod=PATCH": "PATCH", "$httpMethod=PUT": "PUT", "%24httpMethod=PUT": "PUT", "_method=PUT&.method=GET": "",
		"httpMethod=PUT": "-", "method[]=PUT": "-", "=PUT": "-", "%zz=PUT": "-",
	} {
		got, said := MethodParameter(query)
		if !said {
			got = "-"
		}
		if got != want {
			t.Errorf("MethodParameter(%q) = %q, want %q", query, got, want)
		}
	}
}
