package denial

// Codes of queries for names (docs/dns.md). A client of DNS sees REFUSED, or
// nothing, and the code where it takes extended errors (RFC 8914).
const (
	NameNotListed = "name_not_listed"
	TooManyNames  = "too_many_names"
	QueryRefused  = "query_refused"
	QueryRate     = "query_rate"
)

func dnsCodes() []Code {
	return []Code{
		{Name: NameNotListed, Retry: RetryNever, Text: "no rule of this gateway lists this name, and no other is answered"},
		{Name: TooManyNames, Retry: RetryLater, Text: "too many names were asked for under one glob: each can carry something out"},
		{Name: QueryRefused, Kind: Invalid, Retry: RetryNever, Text: "this query is of a kind that is not answered: ask for A, AAAA or HTTPS of a host name"},
		{Name: QueryRate, Kind: Unavailable, Retry: RetryLater, Text: "more queries come from this address than are answered"},
	}
}
