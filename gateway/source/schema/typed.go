package schema

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

// maxDataBytes is how much a ConfigMap or a Secret holds, as in Kubernetes.
const maxDataBytes = 1 << 20

// checkTyped is what a schema does not say, for the kinds that have such
// checks. It fills in the defaults of kinds without a CRD.
func checkTyped(value any) field.ErrorList {
	switch v := value.(type) {
	case *corev1.Service:
		return checkService(v)
	case *discoveryv1.EndpointSlice:
		return checkEndpointSlice(v)
	case *corev1.ConfigMap:
		return checkConfigMap(v)
	case *corev1.Secret:
		return checkSecret(v)
	case *v1alpha1.TrustDomain:
		return checkFile(v.Spec.KeySet.Type == v1alpha1.KeySetFile, v.Spec.KeySet.File, "spec", "keySet", "file")
	}
	return nil
}

// checkFile refuses an empty path where a path is what the object is about.
func checkFile(wanted bool, path string, names ...string) field.ErrorList {
	if wanted && path == "" {
		return field.ErrorList{field.Required(field.NewPath(names[0], names[1:]...), "")}
	}
	return nil
}

func checkConfigMap(cm *corev1.ConfigMap) field.ErrorList {
	var errs field.ErrorList
	size := 0
	for _, key := range slices.Sorted(maps.Keys(cm.Data)) {
		errs = append(errs, checkDataKey(field.NewPath("data"), key)...)
		if _, twice := cm.BinaryData[key]; twice {
			errs = append(errs, field.Invalid(field.NewPath("data").Key(key), field.OmitValueType{}, "is in binaryData too"))
		}
		size += len(cm.Data[key])
	}
	for _, key := range slices.Sorted(maps.Keys(cm.BinaryData)) {
		errs = append(errs, checkDataKey(field.NewPath("binaryData"), key)...)
		size += len(cm.BinaryData[key])
	}
	return append(errs, checkDataSize(field.NewPath("data"), size)...)
}

// checkSecret moves stringData into data, where it wins, as the API server
// does; and asks for what the type of the Secret promises.
func checkSecret(s *corev1.Secret) field.ErrorList {
	if len(s.StringData) > 0 && s.Data == nil {
		s.Data = make(map[string][]byte, len(s.StringData))
	}
	for key, v := range s.StringData {
		s.Data[key] = []byte(v)
	}
	s.StringData = nil
	if s.Type == "" {
		s.Type = corev1.SecretTypeOpaque
	}
	var errs field.ErrorList
	size := 0
	for _, key := range slices.Sorted(maps.Keys(s.Data)) {
		errs = append(errs, checkDataKey(field.NewPath("data"), key)...)
		size += len(s.Data[key])
	}
	if s.Type == corev1.SecretTypeTLS {
		errs = append(errs, checkTLSKeys(s)...)
	}
	return append(errs, checkDataSize(field.NewPath("data"), size)...)
}

func checkTLSKeys(s *corev1.Secret) field.ErrorList {
	var errs field.ErrorList
	for _, key := range []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey} {
		if len(s.Data[key]) == 0 {
			errs = append(errs, field.Required(field.NewPath("data").Key(key), "a Secret of type "+string(s.Type)+" holds it"))
		}
	}
	return errs
}

func checkDataKey(path *field.Path, key string) field.ErrorList {
	var errs field.ErrorList
	for _, msg := range validation.IsConfigMapKey(key) {
		errs = append(errs, field.Invalid(path.Key(key), field.OmitValueType{}, msg))
	}
	return errs
}

func checkDataSize(path *field.Path, size int) field.ErrorList {
	if size > maxDataBytes {
		return field.ErrorList{field.TooLong(path, "", maxDataBytes)}
	}
	return nil
}
