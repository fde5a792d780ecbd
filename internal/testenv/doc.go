// Package testenv is what tests of the data path stand on: the real Envoy,
// free ports, upstreams, a DNS zone, an issuer of tokens. Fakes stand only at
// the edge of the world.
package testenv
