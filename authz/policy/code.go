package policy

// Effect is what became of a hop. The zero Effect denies.
type Effect uint8

const (
	Deny Effect = iota
	// Ask: a person must approve first.
	Ask
	// Neutral: no level has a policy that counts.
	Neutral
	Allow
)

// String is the effect's word in records.
func (e Effect) String() string {
	switch e {
	case Allow:
		return "allow"
	case Ask:
		return "ask"
	case Neutral:
		return "neutral"
	default:
		return "deny"
	}
}

// Codes say why. Their words are stable; an Outcome that allows has none.
const (
	// CodeNoRule: a level has policies, and none of their Allow rules matches.
	CodeNoRule = "no_rule"
	// CodeRuleDenied: a Deny rule matches.
	CodeRuleDenied = "rule_denied"
	// CodeRuleError: a Deny or Ask rule could not be judged.
	CodeRuleError = "rule_error"
	// CodePolicyRejected: a policy of the level was not accepted.
	CodePolicyRejected = "policy_rejected"
	// CodeApprovalRequired: an Ask rule matches and nobody has approved.
	CodeApprovalRequired = "approval_required"
	// CodeLimitExceeded: the request is more than the limits of the Allow
	// rules that match.
	CodeLimitExceeded = "limit_exceeded"
	// CodeLimitMissing: the request does not say what they limit.
	CodeLimitMissing = "limit_missing"
	// CodeReleaseAgeUnknown: a rule allows releases of some age, and how old
	// this one is nobody has said. Whoever can look it up asks again.
	CodeReleaseAgeUnknown = "release_age_unknown"
	// CodeReleaseTooNew: a rule allows it when it is older.
	CodeReleaseTooNew = "release_too_new"
	// CodeDigestRequired: a rule allows it by its digest.
	CodeDigestRequired = "digest_required"
	// CodeBadPath: a rule would allow it if it kept encoded slashes, or if the
	// path had none.
	CodeBadPath = "bad_path"
	// CodeUnmatched: the effect is Neutral, and the Gateway's setting of that
	// name decides.
	CodeUnmatched = "unmatched"
)
