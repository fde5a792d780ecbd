// Package glob matches text against the globs of rules.
//
// A pattern enters once and leaves as a Glob; texts of any length enter and
// yes or no leaves. * is any run of bytes without the separator, the empty run
// included; ** is any run at all. A pattern that is * or ** alone matches any
// text but the empty one. Every other byte stands for itself: there are no
// escapes, classes or alternatives.
//
// The time of a match is linear in the text, whatever pattern and text hold,
// and it allocates nothing. A Glob never changes and may be shared.
package glob
