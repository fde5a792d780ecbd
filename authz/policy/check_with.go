package policy

import (
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
)

func (k *checker) duties(at *field.Path, in *v1alpha1.AccessRule) Duties {
	d := defaultDuties(in.To.Type)
	w := in.With
	if w == nil {
		return d
	}
	if k.restricts && (w.Stream != nil || w.TLS != "" || w.ForwardToken != "" || w.Limits != nil) {
		k.invalid(at, "stream, tls, forwardToken and limits are duties of an Allow")
	}
	k.stream(at.Child("stream"), w.Stream, in.To.Type, &d)
	k.tls(at.Child("tls"), w.TLS, in.To.Type, &d)
	k.forwardToken(at.Child("forwardToken"), w.ForwardToken, &d)
	k.audit(at.Child("audit"), w.Audit, &d)
	k.denyAs(at.Child("denyAs"), w.DenyAs, in.To.Type, &d)
	k.limits(at.Child("limits"), w.Limits, in.To.Type, &d)
	return d
}

func (k *checker) stream(at *field.Path, in *v1alpha1.StreamDuty, kind v1alpha1.SurfaceType, d *Duties) {
	if in == nil {
		return
	}
	switch in.Lifetime {
	case "":
	case v1alpha1.LifetimeTokenExpiry, v1alpha1.LifetimeRenewable:
		d.Lifetime, d.Max = in.Lifetime, 0
	case v1alpha1.LifetimeMax:
		d.Lifetime = in.Lifetime
		if in.Max == nil && kind != v1alpha1.SurfaceModels {
			k.invalid(at.Child("max"), "lifetime Max needs it")
		}
	default:
		k.unknown(at.Child("lifetime"), in.Lifetime, v1alpha1.LifetimeTokenExpiry, v1alpha1.LifetimeRenewable, v1alpha1.LifetimeMax)
	}
	if in.Max == nil {
		return
	}
	bound, err := parseDuration(*in.Max)
	if err != nil {
		k.invalid(at.Child("max"), "%v", err)
		return
	}
	d.Max = bound
}

var (
	errDuration     = errors.New("a duration is up to five digits and h, m, s or ms, up to four times: 1h30m")
	errZeroDuration = errors.New("a stream of no length is none: deny instead")
)

// parseDuration reads a Gateway API Duration (GEP-2257).
func parseDuration(in gatewayv1.Duration) (time.Duration, error) {
	text := string(in)
	for parts := 0; text != ""; parts++ {
		digits := 0
		for digits < len(text) && text[digits] >= '0' && text[digits] <= '9' {
			digits++
		}
		unit := 1
		if len(text) > digits+1 && text[digits] == 'm' && text[digits+1] == 's' {
			unit = 2
		}
		if digits == 0 || digits > 5 || parts == 4 || len(text) < digits+unit {
			return 0, errDuration
		}
		switch text[digits : digits+unit] {
		case "h", "m", "s", "ms":
		default:
			return 0, errDuration
		}
		text = text[digits+unit:]
	}
	d, err := time.ParseDuration(string(in))
	if err != nil {
		return 0, errDuration
	}
	if d <= 0 {
		return 0, errZeroDuration
	}
	return d, nil
}

func (k *checker) tls(at *field.Path, in v1alpha1.TLSDuty, kind v1alpha1.SurfaceType, d *Duties) {
	switch in {
	case "":
		return
	case v1alpha1.TLSInspect, v1alpha1.TLSPassthrough, v1alpha1.TLSOpaque:
		if in == v1alpha1.TLSInspect && k.c.noInspect != "" {
			k.report(at, ReasonNotAvailable, Error, "TLS cannot be inspected here: %s", k.c.noInspect)
		}
		if kind != v1alpha1.SurfaceHosts {
			k.noEffect(at, "it says something about type Hosts only")
		}
	default:
		k.unknown(at, in, v1alpha1.TLSInspect, v1alpha1.TLSPassthrough, v1alpha1.TLSOpaque)
	}
	d.TLS = in
}

func (k *checker) forwardToken(at *field.Path, in v1alpha1.ForwardToken, d *Duties) {
	switch in {
	case "":
		return
	case v1alpha1.ForwardTokenExchange:
		k.report(at, ReasonNotAvailable, Error, "Exchange is not available in this version")
	case v1alpha1.ForwardTokenStrip, v1alpha1.ForwardTokenForward:
	default:
		k.unknown(at, in, v1alpha1.ForwardTokenStrip, v1alpha1.ForwardTokenExchange, v1alpha1.ForwardTokenForward)
	}
	d.ForwardToken = in
}

func (k *checker) audit(at *field.Path, in v1alpha1.AuditDuty, d *Duties) {
	switch in {
	case "":
		return
	case v1alpha1.AuditDurable, v1alpha1.AuditBuffered:
	default:
		k.unknown(at, in, v1alpha1.AuditDurable, v1alpha1.AuditBuffered)
	}
	d.Audit = in
}

func (k *checker) denyAs(at *field.Path, in v1alpha1.DenyAs, kind v1alpha1.SurfaceType, d *Duties) {
	switch in {
	case "":
		return
	case v1alpha1.DenyAsError, v1alpha1.DenyAsResult:
		if kind != v1alpha1.SurfaceTools {
			k.noEffect(at, "it says something about type Tools only")
		}
	default:
		k.unknown(at, in, v1alpha1.DenyAsError, v1alpha1.DenyAsResult)
	}
	d.DenyAs = in
}

func (k *checker) limits(at *field.Path, in *v1alpha1.LimitDuty, kind v1alpha1.SurfaceType, d *Duties) {
	if in == nil {
		return
	}
	if n := in.OutputTokens; n != nil {
		if *n < 1 {
			k.invalid(at.Child("outputTokens"), "it is at least 1")
		}
		if kind != v1alpha1.SurfaceModels {
			k.never(at.Child("outputTokens"), "only model calls say how much they ask for: anything else is denied by it")
		}
		d.OutputTokens = *n
	}
	if n := in.RequestBytes; n != nil {
		if *n < 0 {
			k.invalid(at.Child("requestBytes"), "it is at least 0")
		}
		d.RequestBytes = *n
	}
	if n := in.HeadBytes; n != nil {
		if *n < 1 {
			k.invalid(at.Child("headBytes"), "it is at least 1")
		}
		d.HeadBytes = *n
	}
}
