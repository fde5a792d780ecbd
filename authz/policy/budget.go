package policy

import (
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// Budget is what one Allow rule gives each principal in a window of time. It
// never changes.
type Budget struct {
	Policy feedv1.Key
	Rule   string
	// UploadBytes and Names are the most of each; 0: no limit.
	UploadBytes, Names int64
	Window             time.Duration
}

const (
	usualWindow = time.Hour
	leastWindow = time.Second
	mostWindow  = 7 * 24 * time.Hour
	mostNames   = 10_000
)

// budget compiles what a rule gives; nil: nothing is counted.
func (k *checker) budget(at *field.Path, r *rule, in *v1alpha1.LimitDuty) []*Budget {
	if in == nil {
		return nil
	}
	b := &Budget{Rule: r.name, Window: k.window(at.Child("window"), in)}
	if n := in.UploadBytes; n != nil {
		if *n < 1 {
			k.invalid(at.Child("uploadBytes"), "it is at least 1: to let nothing be sent, allow nothing")
		}
		b.UploadBytes = *n
	}
	if n := in.DistinctNames; n != nil {
		if *n < 1 || *n > mostNames {
			k.invalid(at.Child("distinctNames"), "it is from 1 to %d", mostNames)
		}
		if r.kind != v1alpha1.SurfaceHTTP && r.kind != v1alpha1.SurfaceHosts {
			k.noEffect(at.Child("distinctNames"), "it says something about types HTTP and Hosts only")
		}
		b.Names = *n
	}
	if b.UploadBytes == 0 && b.Names == 0 {
		return nil
	}
	return []*Budget{b}
}

func (k *checker) window(at *field.Path, in *v1alpha1.LimitDuty) time.Duration {
	if in.Window == nil {
		return usualWindow
	}
	if in.UploadBytes == nil && in.DistinctNames == nil {
		k.noEffect(at, "it is that of uploadBytes and distinctNames, and there is neither")
	}
	d, err := parseDuration(*in.Window)
	switch {
	case err != nil:
		k.invalid(at, "%v", err)
	case d < leastWindow || d > mostWindow:
		k.invalid(at, "it is from 1s to 168h")
	}
	return d
}

// Meters reports whether some budget is of bytes.
func (d *Duties) Meters() bool {
	for _, b := range d.Budgets {
		if b.UploadBytes > 0 {
			return true
		}
	}
	return false
}
