package token

// Peer is the workload at the other end of the connection that a token came
// on. The zero Peer is nobody: no bound token is believed from it.
type Peer struct {
	// SPIFFE is the URI of its verified certificate; empty: it has none.
	SPIFFE string
	// Certificate is its verified leaf, in URL-encoded PEM as Envoy gives it;
	// empty: it has none.
	Certificate string
}
