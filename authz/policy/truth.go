package policy

// truth is three-valued (Kleene): what could not be judged is unsure. The
// order makes AND the smaller and OR the larger of two.
type truth uint8

const (
	no truth = iota
	unsure
	yes
)

func (t truth) and(o truth) truth { return min(t, o) }
func (t truth) or(o truth) truth  { return max(t, o) }

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (t truth) String() string {
	switch t {
	case yes:
		return "yes"
	case no:
		return "no"
	default:
		return "error"
	}
}
