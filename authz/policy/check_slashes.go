package policy

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// slashes reports whether an entry keeps encoded slashes.
func (k *checker) slashes(at *field.Path, in *v1alpha1.HTTPMatch) bool {
	keeps := in.EncodedSlashes == v1alpha1.EncodedSlashesKeep
	here := at.Child("encodedSlashes")
	switch in.EncodedSlashes {
	case "":
	case v1alpha1.EncodedSlashesRefuse, v1alpha1.EncodedSlashesKeep:
		if k.restricts {
			k.noEffect(here, "a Deny or Ask matches a path with encoded slashes by either reading")
		}
	default:
		k.unknown(here, in.EncodedSlashes, v1alpha1.EncodedSlashesRefuse, v1alpha1.EncodedSlashesKeep)
	}
	for i, p := range in.Paths {
		switch {
		case strings.Contains(p, "%2f"):
			k.never(at.Child("paths").Index(i), "an encoded slash is written %%2F here")
		case strings.Contains(p, "%2F") && !keeps && !k.restricts:
			k.never(at.Child("paths").Index(i), "a path with an encoded slash is refused: say encodedSlashes: Keep")
		}
	}
	return keeps
}
