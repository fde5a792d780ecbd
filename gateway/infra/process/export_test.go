package process

// ParseVersion is parseVersion.
func ParseVersion(out []byte) (Version, error) { return parseVersion(out) }
