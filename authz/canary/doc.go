// Package canary proves an Envoy before it serves. What keeps a stream on its
// leash fails silently when configuration is wrong: a header that is stripped
// in the wrong place switches every deadline off, a matcher that does not fit
// every hold, filter state of the wrong kind hands tunnels each other's
// targets, a meter that is skipped lets everything pass, and all hops still get
// their answers. So hopgate sends hops of its own through each Envoy that starts,
// by listeners of the shapes that serve (gateway/api/wire, xds/envoy), and looks
// at their ends.
//
// In come the starts of Envoys and questions about hops that may be canaries;
// out goes whether the Envoy is proven, and what was seen where it is not.
// A canary carries a secret that is drawn for each attempt and is worth
// nothing when the attempt is over. All of it is safe for concurrent use.
package canary
