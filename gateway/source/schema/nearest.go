package schema

import "strings"

// maxNameLength bounds what is compared: a longer name is no slip of the pen.
const maxNameLength = 64

// nearest returns the candidate that the name of a field was most likely meant
// to be: at most one edit in three letters.
func nearest(name string, candidates []string) string {
	return Nearest(name, candidates, max(1, len(name)/3))
}

// Nearest returns the candidate that takes the fewest edits, most at most, or
// nothing. Letter case is not counted. Of equals the first wins.
func Nearest(name string, candidates []string, most int) string {
	if len(name) > maxNameLength {
		return ""
	}
	best, bestDistance := "", most+1
	for _, c := range candidates {
		if len(c) > maxNameLength {
			continue
		}
		if d := distance(strings.ToLower(name), strings.ToLower(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance counts the letters to add, drop, change or swap with the next
// (optimal string alignment).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// list joins names for a person, and stops where nobody reads on.
func list(names []string) string {
	const most = 12
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", ..."
	}
	return strings.Join(names, ", ")
}
