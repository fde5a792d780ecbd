package leash

import (
	"time"
)

// Stream is what can be told of a hop while it lives.
type Stream struct {
	Hop    string `json:"hop"`
	Parent string `json:"parent,omitempty"`

	Domain  string   `json:"trustDomain,omitempty"`
	Txn     string   `json:"txn,omitempty"`
	Subject string   `json:"subject,omitempty"`
	Agent   string   `json:"agent,omitempty"`
	Actors  []string `json:"actors,omitempty"`
	Peer    string   `json:"peer,omitempty"`
	// Token is its name in records, Renewals how many it stood on before.
	Token    string `json:"token,omitempty"`
	Renewals int    `json:"renewals,omitempty"`

	Gateway  string   `json:"gateway"`
	Listener string   `json:"listener"`
	Route    string   `json:"route,omitempty"`
	Backends []string `json:"backends,omitempty"`
	Surface  string   `json:"surface"`
	Method   string   `json:"method"`
	Name     string   `json:"name,omitempty"`
	Host     string   `json:"host,omitempty"`
	Port     uint16   `json:"port,omitempty"`
	Path     string   `json:"path,omitempty"`

	// Policy and Rule are what allowed it, Revision the feed that they were
	// of when it was last decided.
	Policy   string `json:"policy,omitempty"`
	Rule     string `json:"rule,omitempty"`
	Revision string `json:"revision,omitempty"`

	Hold     string    `json:"hold"`
	Lifetime string    `json:"lifetime"`
	Since    time.Time `json:"since"`
	// Until is when it ends by itself, if nobody renews it, Last when at the
	// latest.
	Until time.Time `json:"until"`
	Last  time.Time `json:"last"`
	// BytesIn and BytesOut are from and to the agent, as of Seen; a zero Seen:
	// Envoy has not said yet.
	BytesIn  uint64    `json:"bytesIn"`
	BytesOut uint64    `json:"bytesOut"`
	Seen     time.Time `json:"seen,omitzero"`
}
