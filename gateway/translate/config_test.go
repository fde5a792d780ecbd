package translate

import (
	"strings"
	"testing"
)

func TestNew(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"good":            {func(*Config) {}, ""},
		"no checker":      {func(c *Config) { c.Policies = nil }, "no checker of policies"},
		"no keys":         {func(c *Config) { c.LocalKeySet.Type = "" }, "no key set"},
		"relative folder": {func(c *Config) { c.Folder = "conf" }, "not absolute"},
		"odd onStale":     {func(c *Config) { c.OnStale = "Perhaps" }, "neither Deny nor Report"},
	} {
		config := filesConfig()
		c.change(&config)
		_, err := New(config)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNewDefaults(t *testing.T) {
	t.Parallel()
	c, err := plainConfig().normal()
	if err != nil || c.DefaultAddress.String() != "127.0.0.1" || c.OnStale != "Deny" || c.LocalAudience != "local" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestFindingString(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]PolicyFinding{
		"spec.a: is odd": {Field: "spec.a", Message: "is odd"},
		"is odd":         {Message: "is odd"},
	} {
		if got := f.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
