package v1alpha1

// EncodedSlashes says what becomes of a path with an encoded slash: some servers
// take it for a slash, others for a part of the segment.
type EncodedSlashes string

const (
	// EncodedSlashesRefuse is what happens where nothing is said.
	EncodedSlashesRefuse EncodedSlashes = "Refuse"
	// EncodedSlashesKeep sends it on as it was judged: as a part of its segment.
	EncodedSlashesKeep EncodedSlashes = "Keep"
)
