package file

// What is read at most. A Kubernetes object is at most 1.5 MiB.
const (
	maxFileBytes     = 4 << 20
	maxFileDocuments = 10_000
	maxTotalBytes    = 64 << 20
	maxDocumentBytes = 3 << 19
	maxFiles         = 10_000
	maxFolders       = 10_000
	maxFolderDepth   = 32
	// maxNodes and maxValueBytes bound a document with its aliases written
	// out.
	maxNodes      = 200_000
	maxValueBytes = maxDocumentBytes
	maxDepth      = 64
	// maxDocumentProblems is how many problems one document can have: nobody
	// reads on.
	maxDocumentProblems = 20
	// maxProblems is how many problems a Delta can have.
	maxProblems = 1000
)
