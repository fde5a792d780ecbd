package laptop

import (
	"github.com/hopgate/hopgate/authz/canary"
	"github.com/hopgate/hopgate/gateway/controller"
)

// Reporter is told of what people should see.
type Reporter interface {
	// Changed tells of problems and statuses that changed.
	Changed(controller.Report)
	// Ready tells, once, that everything is served that can be.
	Ready(*Laptop)
	// Proven tells how an attempt to prove an Envoy ended. It must not block.
	Proven(canary.Verdict)
}

type silent struct{}

func (silent) Changed(controller.Report) {}
func (silent) Ready(*Laptop)             {}
func (silent) Proven(canary.Verdict)     {}
