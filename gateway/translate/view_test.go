package translate

import (
	"bufio"
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/wire"
	"github.com/hopgate/hopgate/gateway/graph"
)

func newReader(s string) *bufio.Reader { return bufio.NewReader(strings.NewReader(s)) }

// show renders plain data as YAML, zero values left out.
func show(t testing.TB, v any) string {
	t.Helper()
	out, err := yaml.Marshal(view(reflect.ValueOf(v)))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// view turns v into what YAML can show, the short way.
func view(v reflect.Value) any {
	if s, ok := short(v); ok {
		return s
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return view(v.Elem())
	case reflect.Struct:
		return viewStruct(v)
	case reflect.Slice:
		out := []any{}
		for i := range v.Len() {
			out = append(out, view(v.Index(i)))
		}
		return out
	}
	return v.Interface()
}

func viewStruct(v reflect.Value) any {
	out := map[string]any{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if v.Field(i).IsZero() || !f.IsExported() {
			continue
		}
		out[strings.ToLower(f.Name[:1])+f.Name[1:]] = view(v.Field(i))
	}
	return out
}

func short(v reflect.Value) (string, bool) {
	if v.Kind() == reflect.Pointer {
		return "", false
	}
	switch x := v.Interface().(type) {
	case wire.Target:
		return x.String(), true
	case time.Duration:
		return x.String(), true
	case graph.Owner:
		return x.String(), true
	case feedv1.Key:
		return x.String(), true
	case []byte:
		if strings.Contains(string(x), "-----BEGIN") {
			return fmt.Sprintf("%d PEM blocks", strings.Count(string(x), "-----BEGIN")), true
		}
		return string(x), true
	case encoding.TextMarshaler:
		b, _ := x.MarshalText()
		return string(b), true
	}
	return "", false
}

// showStatuses renders statuses, a condition a line.
func showStatuses(list []Status) string {
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintf(&b, "%s\n", s.Ref)
		if s.Gateway != nil {
			for _, a := range s.Gateway.Addresses {
				fmt.Fprintf(&b, "  address %s\n", a.Value)
			}
			for _, l := range s.Gateway.Listeners {
				fmt.Fprintf(&b, "  listener %s: %d routes", l.Name, l.AttachedRoutes)
				for _, k := range l.SupportedKinds {
					fmt.Fprintf(&b, ", %s", k.Kind)
				}
				fmt.Fprintln(&b)
			}
		}
		s.each(func(place string, conditions []metav1.Condition) {
			if place != "" {
				fmt.Fprintf(&b, "  %s\n", place)
			}
			for _, c := range conditions {
				line := fmt.Sprintf("    %s %s %s: %s", c.Type, c.Status, c.Reason, c.Message)
				fmt.Fprintln(&b, strings.TrimSuffix(line, ": "))
			}
		})
		for _, n := range s.Notes {
			fmt.Fprintf(&b, "  note: %s\n", n)
		}
	}
	return b.String()
}
