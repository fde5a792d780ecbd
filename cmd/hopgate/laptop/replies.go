package laptop

import (
	"github.com/hopgate/hopgate/authz/denial"
	"github.com/hopgate/hopgate/authz/surface"
	"github.com/hopgate/hopgate/xds/envoy"
)

// replies are what Envoy says of itself, in the words of the denial table.
func replies() []envoy.Reply {
	codes := denial.NewCodes()
	var out []envoy.Reply
	for _, r := range []struct {
		code  string
		flags []string
	}{
		{denial.BackendUnavailable, []string{"UH", "UF", "UC", "UR", "LR", "UO", "DF"}},
		{denial.BackendTimeout, []string{"UT"}},
		{denial.BackendMissing, []string{"NC"}},
		{denial.Expired, []string{"UMSDR"}},
	} {
		a := denial.Say(codes.Get(r.code), surface.Denial{RequestID: envoy.RequestID}, denial.Occasion{})
		reply := envoy.Reply{Flags: r.flags, Status: a.Status, Body: string(a.Body)}
		for _, h := range a.Headers {
			if h.Name == "content-type" {
				reply.ContentType = h.Value
				continue
			}
			reply.Headers = append(reply.Headers, [2]string{h.Name, h.Value})
		}
		out = append(out, reply)
	}
	return out
}
