package schema

import (
	"embed"
	"fmt"
	"reflect"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hopgate/hopgate/gateway/source"
)

//go:embed data/*.json
var data embed.FS

// shape is a compiled schema, without its rules.
type shape struct {
	structural *structuralschema.Structural
	values     validation.SchemaCreateValidator
}

func (s *shape) validate(path *field.Path, value any) field.ErrorList {
	return validation.ValidateCustomResource(path, value, s.values)
}

// embeddedShape compiles the schema of a CRD.
func embeddedShape(k source.Kind) (*shape, error) {
	text, err := data.ReadFile("data/" + k.Group + "_" + k.Kind + ".json")
	if err != nil {
		return nil, err
	}
	var v1 apiextensionsv1.JSONSchemaProps
	if err := json.Unmarshal(text, &v1); err != nil {
		return nil, fmt.Errorf("parse schema of %s: %w", k.Kind, err)
	}
	var props apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(&v1, &props, nil); err != nil {
		return nil, fmt.Errorf("convert schema of %s: %w", k.Kind, err)
	}
	if k.Kind == "XBackend" {
		widenXBackend(&props)
	}
	return newShape(&props)
}

// typeShape derives the schema of a kind that has no CRD from its Go type.
func typeShape(k source.Kind) (*shape, error) {
	props, err := reflected(reflect.TypeOf(k.New()).Elem())
	if err != nil {
		return nil, fmt.Errorf("derive schema of %s: %w", k.Kind, err)
	}
	delete(props.Properties, "status")
	// Metadata has a shape of its own.
	props.Properties["metadata"] = apiextensions.JSONSchemaProps{Type: "object"}
	return newShape(&props)
}

func metadataShape() (*shape, error) {
	props, err := reflected(reflect.TypeFor[metav1.ObjectMeta]())
	if err != nil {
		return nil, err
	}
	return newShape(&props)
}

func newShape(props *apiextensions.JSONSchemaProps) (*shape, error) {
	structural, err := structuralschema.NewStructural(props)
	if err != nil {
		return nil, err
	}
	if err := defaulting.PruneDefaults(structural); err != nil {
		return nil, err
	}
	values, _, err := validation.NewSchemaValidator(props)
	if err != nil {
		return nil, err
	}
	return &shape{structural: structural, values: values}, nil
}
