package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

func readCRD(path string) (*apiextensionsv1.CustomResourceDefinition, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(text, &crd); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return &crd, nil
}

// compact returns the schema that all served versions share.
func compact(crd *apiextensionsv1.CustomResourceDefinition) ([]byte, error) {
	var shared []byte
	for _, v := range crd.Spec.Versions {
		if !v.Served {
			continue
		}
		text, err := compactVersion(v)
		if err != nil {
			return nil, err
		}
		if shared != nil && !bytes.Equal(shared, text) {
			return nil, fmt.Errorf("version %s has a shape of its own", v.Name)
		}
		shared = text
	}
	if shared == nil {
		return nil, errors.New("no version is served")
	}
	return append(shared, '\n'), nil
}

func compactVersion(v apiextensionsv1.CustomResourceDefinitionVersion) ([]byte, error) {
	if v.Schema == nil || v.Schema.OpenAPIV3Schema == nil {
		return nil, fmt.Errorf("version %s has no schema", v.Name)
	}
	props := v.Schema.OpenAPIV3Schema
	delete(props.Properties, "status")
	strip(props)
	return json.Marshal(props)
}

// strip removes what only people read.
func strip(s *apiextensionsv1.JSONSchemaProps) {
	s.Description, s.Title, s.Example, s.ExternalDocs = "", "", nil, nil
	for name, p := range s.Properties {
		strip(&p)
		s.Properties[name] = p
	}
	if s.Items != nil && s.Items.Schema != nil {
		strip(s.Items.Schema)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		strip(s.AdditionalProperties.Schema)
	}
	for _, list := range [][]apiextensionsv1.JSONSchemaProps{s.AllOf, s.OneOf, s.AnyOf} {
		for i := range list {
			strip(&list[i])
		}
	}
	if s.Not != nil {
		strip(s.Not)
	}
}
