// Package strictjson (skeleton, being written)
package strictjson

// Value is one JSON value of a parsed document.
type Value struct {
	d *Doc
	i int32
}

// Doc is a parsed document.
type Doc struct{}
