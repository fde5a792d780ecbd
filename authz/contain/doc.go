// Package contain holds what is cut off now, and until when: tokens,
// transactions, subjects, agents and peers that were revoked or quarantined.
//
// Orders enter, from a person or as objects of the feed; whether a hop is cut
// off, and by which order, leaves. What a person orders is on disk before it is
// acknowledged, and holds after a restart until its time is over.
//
// Asking never waits and takes no lock.
package contain
