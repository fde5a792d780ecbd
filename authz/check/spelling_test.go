package check

import "testing"

func TestSpelling(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ path, query, want string }{
		{"/", "", "/?"},
		{"/%61%2D%7e", "%61=%2D", "/a-~?a=-"},
		{"/a%2fb", "a%2fb", "/a%2Fb?a/b"},
		{"/a:b@c", "a:b@c?", "/a:b@c?a:b@c?"},
		{"/a%3ab%40c", "%3ab%40%3F", "/a:b@c?:b@?"},
		{"/a+b&c=d", "a+b&c=d;e", "/a+b&c=d?a+b&c=d;e"},
		{"/a%2bb%26c%3dd", "a%2bb%26c%3dd%3b", "/a%2Bb%26c%3Dd?a%2Bb%26c%3Dd%3B"},
		{"/a", `"<>|'`, "/a?%22%3C%3E%7C'"},
		{"/a", "%22%3c%3E%7C%27", "/a?%22%3C%3E%7C'"},
		{"/a", "100%", "/a?100%25"},
		{"/a", "%zz%2", "/a?%25zz%252"},
		{"/a", "%252F", "/a?%252F"},
		{"/a", "%00%ff", "/a?%00%FF"},
	} {
		if got := spelling(tc.path, tc.query); got != tc.want {
			t.Errorf("%s?%s is spelled %s, want %s", tc.path, tc.query, got, tc.want)
		}
	}
}

// FuzzSpelling: what is spelled once is spelled so, and no two spellings are one
// that would be told apart by what separates.
func FuzzSpelling(f *testing.F) {
	f.Add("/a%2fb", "x=%2B&y=+;z")
	f.Add("/%", "%2")
	f.Fuzz(func(t *testing.T, path, query string) {
		once := spelling(path, query)
		again, rest := cutQuery(once)
		if twice := spelling(again, rest); twice != once {
			t.Errorf("%q is %q, and then %q", path+"?"+query, once, twice)
		}
		for _, c := range separators {
			if a, b := count(path+query, c), count(once, c); a != b {
				t.Errorf("%q has %d of %q, and is spelled with %d: %q", path+"?"+query, a, c, b, once)
			}
		}
	})
}

const separators = "+&=;"

func count(s string, c rune) (n int) {
	for _, x := range s {
		if x == c {
			n++
		}
	}
	return n
}
