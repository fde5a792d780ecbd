package schema

import (
	"fmt"
	"maps"
	"reflect"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// reflected derives the schema of a Go API type from its fields and their json
// tags. It knows the shapes that the read kinds of Kubernetes have; any other
// is an error. Types must not contain themselves.
func reflected(t reflect.Type) (apiextensions.JSONSchemaProps, error) {
	switch t {
	case reflect.TypeFor[metav1.Time](), reflect.TypeFor[metav1.MicroTime]():
		return apiextensions.JSONSchemaProps{Type: "string", Format: "date-time"}, nil
	case reflect.TypeFor[metav1.FieldsV1]():
		open := true
		return apiextensions.JSONSchemaProps{Type: "object", XPreserveUnknownFields: &open}, nil
	case reflect.TypeFor[intstr.IntOrString]():
		return apiextensions.JSONSchemaProps{XIntOrString: true}, nil
	case reflect.TypeFor[[]byte]():
		return apiextensions.JSONSchemaProps{Type: "string", Format: "byte"}, nil
	}
	switch t.Kind() {
	case reflect.Pointer:
		return reflected(t.Elem())
	case reflect.Slice:
		return reflectedSlice(t)
	case reflect.Map:
		return reflectedMap(t)
	case reflect.Struct:
		return reflectedStruct(t)
	}
	return reflectedScalar(t)
}

func reflectedScalar(t reflect.Type) (apiextensions.JSONSchemaProps, error) {
	switch t.Kind() {
	case reflect.String:
		return apiextensions.JSONSchemaProps{Type: "string"}, nil
	case reflect.Bool:
		return apiextensions.JSONSchemaProps{Type: "boolean"}, nil
	case reflect.Int32:
		return apiextensions.JSONSchemaProps{Type: "integer", Format: "int32"}, nil
	case reflect.Int64:
		return apiextensions.JSONSchemaProps{Type: "integer", Format: "int64"}, nil
	}
	return apiextensions.JSONSchemaProps{}, fmt.Errorf("no schema for Go type %s", t)
}

func reflectedSlice(t reflect.Type) (apiextensions.JSONSchemaProps, error) {
	items, err := reflected(t.Elem())
	return apiextensions.JSONSchemaProps{
		Type:  "array",
		Items: &apiextensions.JSONSchemaPropsOrArray{Schema: &items},
	}, err
}

func reflectedMap(t reflect.Type) (apiextensions.JSONSchemaProps, error) {
	values, err := reflected(t.Elem())
	return apiextensions.JSONSchemaProps{
		Type:                 "object",
		AdditionalProperties: &apiextensions.JSONSchemaPropsOrBool{Allows: true, Schema: &values},
	}, err
}

func reflectedStruct(t reflect.Type) (apiextensions.JSONSchemaProps, error) {
	props := apiextensions.JSONSchemaProps{Type: "object", Properties: map[string]apiextensions.JSONSchemaProps{}}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		sub, err := reflected(f.Type)
		if err != nil {
			return props, err
		}
		if name == "" {
			maps.Copy(props.Properties, sub.Properties)
			continue
		}
		props.Properties[name] = sub
	}
	return props, nil
}
