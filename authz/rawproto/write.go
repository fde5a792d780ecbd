package rawproto

import "google.golang.org/protobuf/encoding/protowire"

// AppendMessage writes a field that is a message, or bytes.
func AppendMessage(b []byte, num protowire.Number, m []byte) []byte {
	b = protowire.AppendTag(b, num, protowire.BytesType)
	return protowire.AppendBytes(b, m)
}

// AppendText writes a field that is a text.
func AppendText(b []byte, num protowire.Number, s string) []byte {
	b = protowire.AppendTag(b, num, protowire.BytesType)
	return protowire.AppendString(b, s)
}

// AppendLength begins a field of so many bytes, which are to follow.
func AppendLength(b []byte, num protowire.Number, n int) []byte {
	b = protowire.AppendTag(b, num, protowire.BytesType)
	return protowire.AppendVarint(b, uint64(n))
}

// AppendNumber writes a field that is a number, an enum or a bool.
func AppendNumber(b []byte, num protowire.Number, n uint64) []byte {
	b = protowire.AppendTag(b, num, protowire.VarintType)
	return protowire.AppendVarint(b, n)
}

// SizeText is how many bytes AppendText writes.
func SizeText(num protowire.Number, s string) int { return SizeMessage(num, len(s)) }

// SizeMessage is how many bytes AppendMessage writes for n.
func SizeMessage(num protowire.Number, n int) int {
	return protowire.SizeTag(num) + protowire.SizeBytes(n)
}
