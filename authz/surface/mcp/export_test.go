package mcp

// PlainURI is plainURI for tests.
var PlainURI = plainURI
