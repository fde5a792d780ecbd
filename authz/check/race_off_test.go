//go:build !race

package check

// raced is true under the race detector, which has pools forget at random.
const raced = false
