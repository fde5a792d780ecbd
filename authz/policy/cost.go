package policy

import (
	"strings"

	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
)

// Sizes that costs are estimated with. They are what common requests have;
// where a request has more, the cost is counted (condition.plan).
const (
	textSize = 256
	listSize = 64
)

// sizes implements cost.Estimator.
type sizes struct{}

// EstimateSize gives texts and collections the sizes above.
func (sizes) EstimateSize(n cost.AstNode) *cost.SizeEstimate {
	if t := n.Type(); t != nil && (t.Kind() == types.StringKind || t.Kind() == types.BytesKind) {
		return upTo(textSize)
	}
	// The estimator asks for what is in what is in it, without end, as long as
	// it gets an answer.
	deep := 0
	for _, p := range n.Path() {
		if strings.HasPrefix(p, "@") {
			deep++
		}
	}
	if deep > 2 {
		return nil
	}
	return upTo(listSize)
}

// EstimateCallCost leaves calls to the standard costs.
func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}

func upTo(n uint64) *cost.SizeEstimate {
	s := cost.RangedSizeEstimate(0, n)
	return &s
}
