package check

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/hopgate/hopgate/authz/rawproto"
)

// Answer builds an envoy.service.auth.v3.CheckResponse straight as bytes. The
// zero Answer is not an answer: Envoy takes a missing status for OK, so that
// every answer begins with Allow or Deny.
type Answer struct {
	buf []byte
	// scratch builds nested messages before their length is known.
	scratch []byte
}

// Pair is a name and a value.
type Pair struct{ Name, Value string }

// codes of google.rpc.Status.
const (
	codePermissionDenied = 7
)

// overwriteOrAdd is HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD.
const overwriteOrAdd = 2

// Bytes is the encoded answer, valid until the next Allow or Deny.
func (a *Answer) Bytes() []byte { return a.buf }

// Allow lets the request go on with changed headers and with metadata for the
// filters behind.
func (a *Answer) Allow(set []Pair, remove []string, metadata []Pair) {
	a.buf = rawproto.AppendMessage(a.buf[:0], 1, nil)
	a.scratch = a.scratch[:0]
	for _, h := range set {
		a.scratch = appendHeaderOption(a.scratch, 2, h)
	}
	for _, name := range remove {
		a.scratch = rawproto.AppendText(a.scratch, 5, name)
	}
	a.buf = rawproto.AppendMessage(a.buf, 3, a.scratch)
	a.buf = rawproto.AppendMessage(a.buf, 4, a.metadata(metadata))
}

// Deny ends the request with this answer.
func (a *Answer) Deny(httpStatus int, headers []Pair, body []byte) {
	a.scratch = protowire.AppendTag(a.scratch[:0], 1, protowire.VarintType)
	a.scratch = protowire.AppendVarint(a.scratch, codePermissionDenied)
	a.buf = rawproto.AppendMessage(a.buf[:0], 1, a.scratch)
	var status [12]byte
	st := protowire.AppendTag(status[:0], 1, protowire.VarintType)
	st = protowire.AppendVarint(st, uint64(httpStatus))
	a.scratch = rawproto.AppendMessage(a.scratch[:0], 1, st)
	for _, h := range headers {
		a.scratch = appendHeaderOption(a.scratch, 2, h)
	}
	a.scratch = rawproto.AppendMessage(a.scratch, 3, body)
	a.buf = rawproto.AppendMessage(a.buf, 2, a.scratch)
}

// metadata is a google.protobuf.Struct of strings, in a.scratch.
func (a *Answer) metadata(ps []Pair) []byte {
	a.scratch = a.scratch[:0]
	for _, p := range ps {
		val := rawproto.SizeText(3, p.Value)
		entry := rawproto.SizeText(1, p.Name) + rawproto.SizeMessage(2, val)
		a.scratch = protowire.AppendTag(a.scratch, 1, protowire.BytesType)
		a.scratch = protowire.AppendVarint(a.scratch, uint64(entry))
		a.scratch = rawproto.AppendText(a.scratch, 1, p.Name)
		a.scratch = protowire.AppendTag(a.scratch, 2, protowire.BytesType)
		a.scratch = protowire.AppendVarint(a.scratch, uint64(val))
		a.scratch = rawproto.AppendText(a.scratch, 3, p.Value)
	}
	return a.scratch
}

// appendHeaderOption writes a HeaderValueOption that replaces what is there.
func appendHeaderOption(b []byte, num protowire.Number, h Pair) []byte {
	header := rawproto.SizeText(1, h.Name) + rawproto.SizeText(2, h.Value)
	option := rawproto.SizeMessage(1, header) + protowire.SizeTag(3) + protowire.SizeVarint(overwriteOrAdd)
	b = protowire.AppendTag(b, num, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(option))
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(header))
	b = rawproto.AppendText(b, 1, h.Name)
	b = rawproto.AppendText(b, 2, h.Value)
	b = protowire.AppendTag(b, 3, protowire.VarintType)
	return protowire.AppendVarint(b, overwriteOrAdd)
}
