// Package policy decides one hop by rules.
//
// AccessPolicies enter, as the feed has them, and leave as a Set: compiled,
// indexed, immutable. Set.Levels finds what guards a target (Gateway and
// listener, route and rule, each backend); Levels.Decide takes a Question (who,
// in which transaction, does what) and gives an Outcome: effect, reason,
// duties. The same compiler says of one policy what is wrong with it
// (CheckPolicy), so that status and decision cannot differ.
//
// Closed by default: a policy that does not compile denies whatever its targets
// see; a level that has an enforcing policy must reach Allow; what a Deny or
// Ask rule cannot judge, it denies; an Allow rule that cannot be judged does
// not match. Truth has three values: a rule is an AND of its conditions, and one
// that is false settles it whatever else could not be judged.
//
// Work does not grow with the number of rules: an index by what the rule
// names (backend, tool, host, path, then agent, subject, peer) leaves a few
// candidates, and only these are looked at. Conditions (CEL) are type-checked
// and bounded in cost when they are compiled, and kept by their text.
//
// A Compiler and a Set may be used by many goroutines. There is no I/O, no
// clock and no randomness: the same Set and Question give the same Outcome,
// whatever the order in which policies and rules came.
package policy
