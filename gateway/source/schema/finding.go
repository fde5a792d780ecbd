package schema

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hopgate/hopgate/gateway/source"
)

// errUnreadable stands for an error whose text might show a secret.
var errUnreadable = errors.New("a value does not fit its type")

// Finding is one thing that is wrong with an object.
type Finding struct {
	// Field is a path such as spec.rules[0].name; it may name a field that is
	// missing. Empty: the whole object.
	Field         string
	Message, Mend string
	Severity      source.Severity
}

func (f Finding) compare(o Finding) int {
	return cmp.Or(strings.Compare(f.Field, o.Field), strings.Compare(f.Message, o.Message))
}

func anyError(fs []Finding) bool {
	return slices.ContainsFunc(fs, func(f Finding) bool { return f.Severity == source.Error })
}

func internal(doing string, err error) []Finding {
	return []Finding{{Severity: source.Error, Message: doing + ": " + err.Error()}}
}

// fromFieldErrors turns what the API server's code says into findings, without
// repeats. With hide no value is shown.
func fromFieldErrors(errs field.ErrorList, hide bool) []Finding {
	wrong := map[string]bool{}
	for _, e := range errs {
		wrong[e.Field] = wrong[e.Field] || e.Type == field.ErrorTypeTypeInvalid
	}
	var out []Finding
	for _, e := range errs {
		// A value of a wrong type is none of the known ones either.
		if e.Type == field.ErrorTypeNotSupported && wrong[e.Field] {
			continue
		}
		if f := fromFieldError(e, hide); !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	return out
}

func fromFieldError(e *field.Error, hide bool) Finding {
	f := Finding{Field: strings.TrimPrefix(e.Field, "<nil>"), Severity: source.Error}
	switch e.Type {
	case field.ErrorTypeRequired:
		f.Message, f.Mend = "is required", "add it"
		if e.Detail != "" {
			f.Message = "is required: " + e.Detail
		}
	case field.ErrorTypeNotSupported:
		f.Message, f.Mend = notSupported(e, hide)
	case field.ErrorTypeTypeInvalid:
		f.Message, f.Mend = wrongType(e, hide)
	case field.ErrorTypeDuplicate:
		f.Message, f.Mend = "is there twice", "remove one of the two"
		if v := shownKey(e.BadValue); v != "" && !hide {
			f.Message = v + " " + f.Message
		}
	default:
		f.Message = plain(e, hide)
	}
	return f
}

// plain is the detail of an error, with the value in front where it is short.
func plain(e *field.Error, hide bool) string {
	detail := body(e.Detail)
	if detail == "" {
		detail = strings.ToLower(e.Type.String())
	}
	if hide {
		detail, _, _ = strings.Cut(detail, ": ")
		return detail
	}
	v := shown(e.BadValue)
	if v == "" || e.Type != field.ErrorTypeInvalid || strings.Contains(detail, v) || strings.HasPrefix(detail, "should have") {
		return detail
	}
	return v + ": " + detail
}

// body shortens what validators say: before it may be the path once more,
// after it examples, and an expression that nobody reads.
func body(detail string) string {
	if _, rest, ok := strings.Cut(detail, " in body "); ok {
		detail = rest
	}
	detail, _, _ = strings.Cut(detail, " (e.g. '")
	const mostOfExpression = 100
	if strings.HasPrefix(detail, "should match '") && len(detail) > mostOfExpression {
		return "does not have the form that is asked for"
	}
	return detail
}

func notSupported(e *field.Error, hide bool) (message, mend string) {
	_, after, _ := strings.Cut(e.Detail, "supported values: ")
	known := strings.Split(strings.ReplaceAll(after, `"`, ""), ", ")
	mend = "use one of " + list(known)
	value, isText := e.BadValue.(string)
	if hide || !isText {
		return "is not one of the known values", mend
	}
	if near := nearest(value, known); near != "" {
		return fmt.Sprintf("%s is not one of %s", shown(value), list(known)), fmt.Sprintf("did you mean %q?", near)
	}
	return shown(value) + " is not known here", mend
}

// wrongType reads `must be of type WANT: "GOT"`.
func wrongType(e *field.Error, hide bool) (message, mend string) {
	rest, ok := strings.CutPrefix(body(e.Detail), "must be of type ")
	if !ok {
		return plain(e, hide), ""
	}
	want, got, _ := strings.Cut(rest, ": ")
	got = strings.Trim(got, `"`)
	message = "must be " + article(want)
	if got != "" && !hide {
		message += ", is " + article(got)
	}
	return message, typeMend(want, got)
}

func typeMend(want, got string) string {
	switch want {
	case "string":
		if got == "boolean" || got == "integer" || got == "number" {
			return "put it in quotes"
		}
	case "integer", "number", "boolean":
		if got == "string" {
			return "write it without quotes"
		}
	case "array":
		return `write it as a list: "- " before each entry`
	case "object":
		return `write it as a mapping: "name: value"`
	case "byte":
		return "encode it in base64, or use stringData"
	}
	return ""
}

func article(kind string) string {
	switch kind {
	case "array":
		return "a list"
	case "object":
		return "a mapping"
	case "byte":
		return "base64"
	case "null":
		return "null"
	case "integer":
		return "an integer"
	}
	return "a " + kind
}

// shown is a value for a message, cut where it is long; nothing when it is no
// scalar.
func shown(value any) string {
	const most = 80
	switch v := value.(type) {
	case string:
		if len(v) > most {
			v = v[:most] + "..."
		}
		return fmt.Sprintf("%q", v)
	case int, int32, int64, float64, bool:
		return fmt.Sprint(v)
	}
	return ""
}

// shownKey is a list-map key, NAME VALUE, or a value.
func shownKey(value any) string {
	key, ok := value.(map[string]any)
	if !ok || len(key) != 1 {
		return shown(value)
	}
	for name, v := range key {
		return name + " " + shown(v)
	}
	return ""
}
