// Package check is the ext_authz front door: it turns Envoy's question about
// one request into a hop, has it decided, and answers in the words of the
// hop's own protocol.
//
// The path is hot. A question is read as a view of the bytes it came in, not
// decoded into messages; an answer is written straight as bytes. What a view
// holds is valid only until its request is answered: what must live longer
// is copied.
package check
