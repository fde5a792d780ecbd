package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

const root = "../../../.."

// TestDataIsCurrent holds that the embedded schemas are those of the pinned
// Gateway API module and of config/crd. If not: go generate ./gateway/source/schema
func TestDataIsCurrent(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	if err := run(root, out); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(readDir(t, "../data"), readDir(t, out)); diff != "" {
		t.Errorf("run: go generate ./gateway/source/schema\n(-have +want):\n%.2000s", diff)
	}
}

func readDir(t *testing.T, dir string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(path)] = string(text)
	}
	return out
}

func TestRunRemovesWhatIsOld(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	old := filepath.Join(out, "old.json")
	if err := os.WriteFile(old, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(root, out); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("old.json is still there: %v", err)
	}
	for name, text := range readDir(t, out) {
		if strings.Contains(text, `"description":"`) {
			t.Errorf("%s has descriptions", name)
		}
	}
}

func version(name string, served bool, s *apiextensionsv1.JSONSchemaProps) apiextensionsv1.CustomResourceDefinitionVersion {
	v := apiextensionsv1.CustomResourceDefinitionVersion{Name: name, Served: served}
	if s != nil {
		v.Schema = &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: s}
	}
	return v
}

func TestCompact(t *testing.T) {
	t.Parallel()
	text := func(description string) *apiextensionsv1.JSONSchemaProps {
		return &apiextensionsv1.JSONSchemaProps{Type: "object", Description: description, Properties: map[string]apiextensionsv1.JSONSchemaProps{
			"status":      {Type: "object"},
			"description": {Type: "string", Description: "of a field of that name"},
			"list":        {Type: "array", Items: &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &apiextensionsv1.JSONSchemaProps{Type: "string", Description: "x"}}},
			"map":         {Type: "object", AdditionalProperties: &apiextensionsv1.JSONSchemaPropsOrBool{Schema: &apiextensionsv1.JSONSchemaProps{Type: "string", Title: "x"}}},
			"any":         {AnyOf: []apiextensionsv1.JSONSchemaProps{{Description: "x"}}, Not: &apiextensionsv1.JSONSchemaProps{Description: "x"}},
		}}
	}
	const want = `{"type":"object","properties":{"any":{"anyOf":[{}],"not":{}},"description":{"type":"string"},"list":{"type":"array","items":{"type":"string"}},"map":{"type":"object","additionalProperties":{"type":"string"}}}}` + "\n"
	for _, tc := range []struct {
		name      string
		versions  []apiextensionsv1.CustomResourceDefinitionVersion
		want, err string
	}{
		{"two that differ in words", []apiextensionsv1.CustomResourceDefinitionVersion{version("v1", true, text("a")), version("v1beta1", true, text("b"))}, want, ""},
		{"one that is not served", []apiextensionsv1.CustomResourceDefinitionVersion{version("v1", true, text("a")), version("v0", false, nil)}, want, ""},
		{"two that differ", []apiextensionsv1.CustomResourceDefinitionVersion{version("v1", true, text("a")), version("v2", true, &apiextensionsv1.JSONSchemaProps{})}, "", "version v2 has a shape of its own"},
		{"none", nil, "", "no version is served"},
		{"no schema", []apiextensionsv1.CustomResourceDefinitionVersion{version("v1", true, nil)}, "", "version v1 has no schema"},
	} {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		crd.Spec.Versions = tc.versions
		got, err := compact(crd)
		if string(got) != tc.want || (err == nil) != (tc.err == "") || err != nil && err.Error() != tc.err {
			t.Errorf("%s: got %s, %v", tc.name, got, err)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	if _, err := generate(t.TempDir()); err == nil || !strings.Contains(err.Error(), "find module") {
		t.Errorf("outside of the module: %v", err)
	}
	if _, err := readCRD(filepath.Join(t.TempDir(), "none.yaml")); !os.IsNotExist(err) {
		t.Errorf("missing file: %v", err)
	}
	path := filepath.Join(t.TempDir(), "odd.yaml")
	if err := os.WriteFile(path, []byte("spec: {odd: true}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readCRD(path); err == nil {
		t.Error("an unknown field is accepted")
	}
}
