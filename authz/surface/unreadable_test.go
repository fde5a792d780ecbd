package surface_test

import (
	"errors"
	"testing"

	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/surface"
)

func reason(err error) surface.Reason {
	if e, ok := errors.AsType[*surface.Unreadable](err); ok {
		return e.Reason
	}
	return ""
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	var d strictjson.Doc
	duplicate := surface.FromJSON(d.Parse([]byte(`{"a":1,"a":2}`), strictjson.Limits{}))
	if err := d.Parse([]byte(`{"a":[1]}`), strictjson.Limits{}); err != nil {
		t.Fatal(err)
	}
	a, _ := d.Root().Member("a")
	for _, tc := range []struct {
		err  error
		want string
	}{
		{duplicate, "read request: duplicate_key at byte 7"},
		{surface.FromJSON(errors.New("other")), "read request: syntax"},
		{surface.Refuse(surface.ReasonBatch), "read request: batch"},
		{surface.RefuseAt(surface.ReasonParams, a), "read request: params at byte 5"},
		{surface.RefuseAt(surface.ReasonParams, strictjson.Value{}), "read request: params"},
	} {
		if got := tc.err.Error(); got != tc.want {
			t.Errorf("Error() = %q, want %q", got, tc.want)
		}
	}
}
