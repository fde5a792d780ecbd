package schema

import (
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func TestReflectedShapes(t *testing.T) {
	t.Parallel()
	type inner struct {
		Deep *int64 `json:"deep,omitempty"`
	}
	type outer struct {
		inner  `json:",inline"`
		Hidden string            `json:"-"`
		List   []inner           `json:"list"`
		Map    map[string]string `json:"map"`
		Raw    []byte            `json:"raw"`
		At     metav1.Time       `json:"at"`
	}
	props, err := reflected(reflect.TypeFor[outer]())
	if err != nil {
		t.Fatal(err)
	}
	if len(props.Properties) != 5 {
		t.Fatalf("properties: %v", props.Properties)
	}
	for name, want := range map[string]string{"deep": "integer int64", "list": "array ", "map": "object ", "raw": "string byte", "at": "string date-time"} {
		p := props.Properties[name]
		if got := p.Type + " " + p.Format; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := props.Properties["list"].Items.Schema.Properties["deep"].Type; got != "integer" {
		t.Errorf("entries of list: %q", got)
	}
	if got := props.Properties["map"].AdditionalProperties.Schema.Type; got != "string" {
		t.Errorf("values of map: %q", got)
	}
}

func TestReflectedRefusesOtherTypes(t *testing.T) {
	t.Parallel()
	for _, v := range []any{struct {
		F func() `json:"f"`
	}{}, []chan int{}, map[string]complex64{}, 1.5} {
		if _, err := reflected(reflect.TypeOf(v)); err == nil || !strings.Contains(err.Error(), "no schema for Go type") {
			t.Errorf("%T: %v", v, err)
		}
	}
}

func TestDataSizes(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", maxDataBytes)
	if errs := checkConfigMap(&corev1.ConfigMap{Data: map[string]string{"a": large}}); len(errs) != 0 {
		t.Errorf("1 MiB: %v", errs)
	}
	if errs := checkConfigMap(&corev1.ConfigMap{Data: map[string]string{"a": large, "b": "y"}}); len(errs) != 1 {
		t.Errorf("more than 1 MiB: %v", errs)
	}
	if errs := checkSecret(&corev1.Secret{StringData: map[string]string{"a": large, "b": "y"}}); len(errs) != 1 {
		t.Errorf("a Secret of more than 1 MiB: %v", errs)
	}
}

func TestFindingText(t *testing.T) {
	t.Parallel()
	path := field.NewPath("spec", "f")
	long := strings.Repeat("v", 200)
	for _, tc := range []struct {
		name string
		err  *field.Error
		hide bool
		want Finding
	}{
		{"duplicate of two keys", field.Duplicate(path, map[string]any{"a": "x", "b": "y"}), false, Finding{Message: "is there twice", Mend: "remove one of the two"}},
		{"hidden duplicate", field.Duplicate(path, "hunter2"), true, Finding{Message: "is there twice", Mend: "remove one of the two"}},
		{"hidden enum", field.NotSupported(path, "hunter2", []string{"a", "b"}), true, Finding{Message: "is not one of the known values", Mend: "use one of a, b"}},
		{"long value", field.Invalid(path, long, "is odd"), false, Finding{Message: `"` + long[:80] + `...": is odd`}},
		{"no detail", field.Invalid(path, nil, ""), false, Finding{Message: "invalid value"}},
		{"other wrong type", field.TypeInvalid(path, nil, "is odd: hunter2"), true, Finding{Message: "is odd"}},
		{"forbidden", field.Forbidden(path, "not here"), false, Finding{Message: "not here"}},
	} {
		tc.want.Field, tc.want.Severity = "spec.f", "error"
		if got := fromFieldError(tc.err, tc.hide); got != tc.want {
			t.Errorf("%s:\n got %+v\nwant %+v", tc.name, got, tc.want)
		}
	}
}
