// Package denial holds every reason for which hopgate refuses a hop, and says
// it in the hop's own protocol: an HTTP problem (RFC 9457), a JSON-RPC error,
// a gRPC status, or a model provider's error. It is pure.
package denial
