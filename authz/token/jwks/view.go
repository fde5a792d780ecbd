package jwks

import "time"

// View is what a source holds at one moment. It never changes.
type View struct {
	// Set is the last good one; nil: none was ever loaded.
	Set *Set
	// Generation grows when a key is withdrawn or becomes another. What was
	// verified under an older one is to be verified again.
	Generation uint64
	// Loaded is when the set was last known to be current.
	Loaded time.Time
	// Until is when the set becomes too old to be used; zero: never.
	Until time.Time
	// Err is why the last attempt failed; nil: it did not.
	Err error

	failures   int
	digest     [32]byte
	validators validators
}

// Usable reports whether there is a set and it is not too old.
func (v *View) Usable(now time.Time) bool {
	return v.Set != nil && (v.Until.IsZero() || now.Before(v.Until))
}

// Find is the key of that kid in a usable set; nil: there is none.
func (v *View) Find(kid string, now time.Time) *Key {
	if !v.Usable(now) {
		return nil
	}
	return v.Set.Find(kid)
}
