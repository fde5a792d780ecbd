// Package rawproto reads and writes protobuf messages field by field, as bytes:
// what is asked of the guard for each hop is not worth an object for each field.
package rawproto
