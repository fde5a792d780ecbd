package explain

import (
	"encoding/json"
	"time"

	"github.com/hopgate/hopgate/authz/audit"
	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// pack is what is known of a package besides its name.
func (d *Do) pack(kind v1alpha1.SurfaceType) surface.Package {
	if kind != v1alpha1.SurfacePackages {
		return surface.Package{}
	}
	p := surface.Package{Pinned: d.Pinned}
	if d.Age != nil {
		p.Aged, p.Age = true, *d.Age
	}
	return p
}

// putPackage puts what a record has of it where it was read from.
func (d *Do) putPackage(f audit.Field) error {
	if f.Name == audit.FieldPinned {
		return json.Unmarshal(f.Value, &d.Pinned)
	}
	var text string
	if err := json.Unmarshal(f.Value, &text); err != nil {
		return err
	}
	age, err := time.ParseDuration(text)
	d.Age = &age
	return err
}
