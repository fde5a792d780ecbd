package policy

import (
	"sync"
	"testing"
)

// A Compiler and a Set are used by many at a time.
func TestParallelUse(t *testing.T) {
	t.Parallel()
	c := newCompiler(t)
	shared := c.Compile(newRandom(7).policies())
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			r := newRandom(uint64(i))
			for range 5 {
				own := c.Compile(r.policies())
				for range 10 {
					target, q := r.target(), r.question()
					own.Levels(target).Decide(q, nil)
					shared.Levels(target).Decide(q, nil)
				}
			}
		})
	}
	wg.Wait()
}
