package denial

import (
	"strings"

	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/authz/surface/registry"
)

// packageCodes are of requests to package registries.
func packageCodes() []Code {
	d := func(name string, text string) Code { return Code{Name: name, Retry: RetryNever, Text: text} }
	return []Code{
		d(RegistryClosed, "of this registry only indexes, packages and their files are read here: publishing, logging in, searching and all that is not known are closed"),
		d(ReleaseTooNew, "this release is younger than may be installed here: take an older one, or wait"),
		d(ReleaseAgeUnknown, "this release must be of some age, and its registry does not say when it was published"),
		d(DigestRequired, "this must be asked for by a digest (image@sha256:...) or a whole commit, not by a tag or branch: those can be moved"),
		{Name: ReleaseSource, Kind: Unavailable, Retry: RetryLater, Text: "when this release was published could not be looked up now"},
	}
}

// packages says a denial where the clients of a registry show it: go shows a
// plain text; npm the member error of a problem; cargo, docker and others the
// errors, and cargo any body.
func packages(c Code, d *surface.Denial, o Occasion) Answer {
	if o.Provider == registry.Go {
		return text(c, d)
	}
	a := problem(c, d)
	line := c.Name + ": " + d.Text
	b := []byte(strings.TrimSuffix(string(a.Body), "}\n"))
	b = append(b, `,"error":`...)
	b = strictjson.AppendString(b, line)
	b = append(b, `,"errors":[{"code":"DENIED","message":`...)
	b = strictjson.AppendString(b, line)
	b = append(b, `,"detail":`...)
	b = strictjson.AppendString(b, line)
	b = append(b, "}]}\n"...)
	a.Body = b
	if o.Provider == registry.HuggingFace {
		a.Headers = append(a.Headers, Header{"x-error-message", line})
	}
	return a
}
