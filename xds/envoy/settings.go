package envoy

import (
	"time"
)

// Settings are what the configuration needs to know of the process around it.
// They hold for the life of an Envoy.
type Settings struct {
	// Socket is the guard's unix socket, shorter than 108 bytes.
	Socket string
	// DNSPort is the guard's DNS on 127.0.0.1, UDP and TCP.
	DNSPort uint16
	// TrustedCA is the file of the system's root certificates; empty: TLS to
	// backends without a CA of their own is refused.
	TrustedCA string
	// Inspect says that the guard mints certificates, so that TLS can be
	// inspected. It needs TrustedCA.
	Inspect bool
	// CheckTimeout bounds one decision, the resolution of a name included.
	// 0: 5s.
	CheckTimeout time.Duration
	// Replies are what is said where a backend does not answer; none: Envoy's
	// own words.
	Replies []Reply
	// CanaryDir is the private folder of the canaries' sockets, whose paths are
	// shorter than 108 bytes; empty: there are no canaries.
	CanaryDir string
}

func (s Settings) checkTimeout() time.Duration {
	if s.CheckTimeout > 0 {
		return s.CheckTimeout
	}
	return 5 * time.Second
}

// Clusters of the guard's socket. Each service has its own, with limits of
// its own, so that none starves another. They are in the bootstrap.
const (
	ClusterXDS   = "hopgate/xds"
	ClusterAuthz = "hopgate/authz"
	ClusterHold  = "hopgate/hold"
	ClusterLog   = "hopgate/log"
	// ClusterSecrets is for certificates that are minted on demand.
	ClusterSecrets = "hopgate/secrets"
	// ClusterFlight is for the first flights of tunnels.
	ClusterFlight = "hopgate/flight"
)

// Timings of the connection managers, all measured.
const (
	// delayedClose is how late an HTTP/1.1 client sees a cut (default 1 s).
	delayedClose = 50 * time.Millisecond
	// streamFlush bounds a last word to an HTTP/2 client that does not read.
	streamFlush = 500 * time.Millisecond
	// requestHeaders bounds the arrival of a request's headers.
	requestHeaders = 10 * time.Second
	// requestBody bounds the arrival of a whole request that has no answer
	// yet: a body that never ends would hold a buffer for ever.
	requestBody = time.Minute
	// holdReply bounds the guard's reply when a hold opens.
	holdReply = 500 * time.Millisecond
	// logFlush is how late the end of a hop is known.
	logFlush = 100 * time.Millisecond
	// logEvery is how often Envoy says of a hop that goes on what it has counted.
	logEvery = 10 * time.Second
)

// Sizes of HTTP/2 towards clients.
const (
	maxStreams        = 1000
	streamWindow      = 256 << 10
	connectionWindow  = 1 << 20
	maxHeadersKB      = 60
	manyRequests      = 100_000
	listenerBuffer    = 1 << 20
	tunnelBuffer      = 64 << 10 // what is read at once goes to the guard at once, and waits there without end
	earlyDataBytes    = 16 << 10
	maxCachedHosts    = 100_000
	maxPendingLookups = 4096
	maxSecrets        = 20_000
)

// Bounds of regular expressions. Envoy has the second too, by its own count.
const (
	maxRegexBytes   = 4096
	maxRegexProgram = 1000
)

// MaxMessage is the largest xDS response that Envoy takes: more would end the
// stream, again and again.
const MaxMessage = 32 << 20

// maxAnswer is the largest answer of the guard's other services.
const maxAnswer = 4 << 20
