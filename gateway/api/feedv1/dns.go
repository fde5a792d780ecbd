package feedv1

import "net/netip"

// DNS is how workloads may ask a Gateway for names. All defaults are filled in.
type DNS struct {
	Listen netip.AddrPort `json:"listen"`
	// Clients are those that are answered.
	Clients          []netip.Prefix `json:"clients"`
	QueriesPerSecond int            `json:"queriesPerSecond"`
	NamesPerHour     int            `json:"namesPerHour"`
}
