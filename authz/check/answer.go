package check

import (
	"google.golang.org/protobuf/encoding/protowire"
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
	a.buf = appendMessage(a.buf[:0], 1, nil)
	a.scratch = a.scratch[:0]
	for _, h := range set {
		a.scratch = appendHeaderOption(a.scratch, 2, h)
	}
	for _, name := range remove {
		a.scratch = appendText(a.scratch, 5, name)
	}
	a.buf = appendMessage(a.buf, 3, a.scratch)
	a.buf = appendMessage(a.buf, 4, a.metadata(metadata))
}

// Deny ends the request with this answer.
func (a *Answer) Deny(httpStatus int, headers []Pair, body []byte) {
	a.scratch = protowire.AppendTag(a.scratch[:0], 1, protowire.VarintType)
	a.scratch = protowire.AppendVarint(a.scratch, codePermissionDenied)
	a.buf = appendMessage(a.buf[:0], 1, a.scratch)
	var status [12]byte
	st := protowire.AppendTag(status[:0], 1, protowire.VarintType)
	st = protowire.AppendVarint(st, uint64(httpStatus))
	a.scratch = appendMessage(a.scratch[:0], 1, st)
	for _, h := range headers {
		a.scratch = appendHeaderOption(a.scratch, 2, h)
	}
	a.scratch = appendMessage(a.scratch, 3, body)
	a.buf = appendMessage(a.buf, 2, a.scratch)
}

// metadata is a google.protobuf.Struct of strings, in a.scratch.
func (a *Answer) metadata(ps []Pair) []byte {
	a.scratch = a.scratch[:0]
	for _, p := range ps {
		val := textSize(3, p.Value)
		entry := textSize(1, p.Name) + sizeMessage(2, val)
		a.scratch = protowire.AppendTag(a.scratch, 1, protowire.BytesType)
		a.scratch = protowire.AppendVarint(a.scratch, uint64(entry))
		a.scratch = appendText(a.scratch, 1, p.Name)
		a.scratch = protowire.AppendTag(a.scratch, 2, protowire.BytesType)
		a.scratch = protowire.AppendVarint(a.scratch, uint64(val))
		a.scratch = appendText(a.scratch, 3, p.Value)
	}
	return a.scratch
}

// appendHeaderOption writes a HeaderValueOption that replaces what is there.
func appendHeaderOption(b []byte, num protowire.Number, h Pair) []byte {
	header := textSize(1, h.Name) + textSize(2, h.Value)
	option := sizeMessage(1, header) + protowire.SizeTag(3) + protowire.SizeVarint(overwriteOrAdd)
	b = protowire.AppendTag(b, num, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(option))
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(header))
	b = appendText(b, 1, h.Name)
	b = appendText(b, 2, h.Value)
	b = protowire.AppendTag(b, 3, protowire.VarintType)
	return protowire.AppendVarint(b, overwriteOrAdd)
}

func appendMessage(b []byte, num protowire.Number, m []byte) []byte {
	b = protowire.AppendTag(b, num, protowire.BytesType)
	return protowire.AppendBytes(b, m)
}

func appendText(b []byte, num protowire.Number, s string) []byte {
	b = protowire.AppendTag(b, num, protowire.BytesType)
	return protowire.AppendString(b, s)
}

func textSize(num protowire.Number, s string) int {
	return protowire.SizeTag(num) + protowire.SizeBytes(len(s))
}

func sizeMessage(num protowire.Number, n int) int {
	return protowire.SizeTag(num) + protowire.SizeBytes(n)
}
