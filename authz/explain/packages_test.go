package explain

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/surface"
)

// TestPackages: what is known of a package besides its name is written, and is
// read from a record.
func TestPackages(t *testing.T) {
	t.Parallel()
	h, err := ReadHop([]byte("do: {surface: Packages, name: requests, host: pypi.example, age: 48h, pinned: true}"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(surface.Package{Aged: true, Age: 48 * time.Hour, Pinned: true}, h.Do.pack("Packages")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := h.Do.pack("HTTP"); got != (surface.Package{}) {
		t.Errorf("HTTP has %+v", got)
	}
	r := &audit.Record{
		Kind: audit.KindBegin, Level: "Gateway/agents/egress", Surface: "Packages", Method: "artifact", Name: "requests", Host: "pypi.example", Port: 443,
		Seen: []audit.Field{{Name: audit.FieldReleaseAge, Value: []byte(`"48h0m0s"`)}, {Name: audit.FieldPinned, Value: []byte("true")}},
	}
	got, err := FromRecord(r)
	if err != nil || got.Do.Age == nil || *got.Do.Age != 48*time.Hour || !got.Do.Pinned {
		t.Errorf("%+v, %v", got, err)
	}
	r.Seen[0].Value = []byte(`"old"`)
	if _, err := FromRecord(r); err == nil {
		t.Error("an age that is none is read")
	}
}
