// Package decide gives one hop its verdict. It joins what rules say, what the
// token allows of time, and how the Gateway is run. It is pure: the same
// State, Hop and time give the same Verdict, so that a hop can be decided
// again while it lives.
package decide
