// Package file reads wanted objects from files and folders, and watches them.
//
// Paths enter: files, or folders that are read with their sub-folders
// (.yaml, .yml, .json; names that begin with a dot are left out, and with them
// the temporary files of editors and the data folders of ConfigMap mounts).
// Deltas leave, in order, from the goroutine of Run.
//
// # What is served when something is wrong
//
// A file is split into documents by its text alone, so that one bad document
// never takes down its neighbours. For each object that cannot be accepted the
// last accepted version serves on, and its problem says so. Where a document
// is so broken that it names no object, every object of that file (and of that
// kind, if the kind can be read) that is missing now is kept. Where a file
// cannot be read at all, too large, unreadable, or empty where it had objects,
// all of it is kept; so is all of a path that was named by the user and has
// vanished. Objects whose document is gone are deleted.
//
// An object that is written twice with two contents is reported at both
// places. The last accepted version serves; without one the first, by path and
// then position. Twice with one content is a warning.
//
// What closes something and cannot be accepted is delivered with Broken set
// where it has no last accepted version: an AccessPolicy must deny what it
// guards, the destination of an XBackend and the backend of a Credential must
// stay closed, a Quarantine must cut off whatever it may name. An XBackend whose
// host name cannot be read closes nothing, since nobody knows what. An
// AccessPolicy that is written twice, with two contents and no last accepted
// version, is broken as well.
//
// With a LastGood store this holds over a restart, but for paths that cannot be
// listed at the start: there the user is told, and nothing serves from them.
//
// # File references
//
// TrustDomain spec.keySet.file and Credential spec.secret.file are relative to
// the folder of the file that holds the object, by the path under which that
// file was found: symbolic links are not resolved. They leave as absolute
// paths.
//
// A Source is for one goroutine, but Locate, which any may call.
package file
