package audit

import "time"

// appendMicros writes t in UTC with six digits after the second (RFC 3339).
func appendMicros(b []byte, t time.Time) []byte {
	t = representable(t)
	b = append(appendClock(b, t), '.')
	us := t.Nanosecond() / 1000
	b = appendTwo(appendTwo(appendTwo(b, us/10000), us/100%100), us%100)
	return append(b, 'Z')
}

// appendSeconds writes t in UTC without what is less than a second.
func appendSeconds(b []byte, t time.Time) []byte {
	return append(appendClock(b, representable(t)), 'Z')
}

// representable makes a year that RFC 3339 has no place for the zero time.
func representable(t time.Time) time.Time {
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return time.Time{}
	}
	return t
}

// appendClock is a third of the cost of time.Time.AppendFormat, which was a
// quarter of a line's.
func appendClock(b []byte, t time.Time) []byte {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	b = append(appendTwo(appendTwo(b, year/100), year%100), '-')
	b = append(appendTwo(b, int(month)), '-')
	b = append(appendTwo(b, day), 'T')
	b = append(appendTwo(b, hour), ':')
	b = append(appendTwo(b, minute), ':')
	return appendTwo(b, second)
}

func appendTwo(b []byte, n int) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }
