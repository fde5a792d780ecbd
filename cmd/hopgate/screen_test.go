package main

import "testing"

func TestWhere(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		what                    string
		at, waiting, unanswered []string
		want                    string
	}{
		{"nothing", nil, nil, nil, "no listener"},
		{"listeners", []string{"127.0.0.1:1", "127.0.0.1:2"}, nil, nil, "127.0.0.1:1, 127.0.0.1:2"},
		{"one that waits", []string{"127.0.0.1:1"}, []string{"127.0.0.1:2"}, nil, "127.0.0.1:1; not yet, the port is in use: 127.0.0.1:2"},
		{"names", []string{"127.0.0.1:1"}, nil, []string{"127.0.0.1:53"}, "127.0.0.1:1; names are not answered at 127.0.0.1:53"},
		{"all of it", nil, []string{"127.0.0.1:2"}, []string{"127.0.0.1:53"}, "no listener; not yet, the port is in use: 127.0.0.1:2; names are not answered at 127.0.0.1:53"},
	} {
		if got := where(tc.at, tc.waiting, tc.unanswered); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.what, got, tc.want)
		}
	}
}
