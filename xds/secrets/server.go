package secrets

import (
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secretv3 "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/hopgate/hopgate/gateway/graph"
	"github.com/hopgate/hopgate/xds/envoy"
)

// Server serves leaves to Envoy. Envoy opens a stream for each name that a
// client's TLS asks for, whatever it is; what is not approved is answered as
// removed, which ends the handshake and the stream, and is not asked for again.
type Server struct {
	secretv3.UnimplementedSecretDiscoveryServiceServer
	leaves *Leaves
}

// NewServer serves these leaves.
func NewServer(l *Leaves) *Server { return &Server{leaves: l} }

const secretType = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"

// maxPerStream bounds the names of one stream. Envoy's have one.
const maxPerStream = 16

// DeltaSecrets serves one stream.
func (s *Server) DeltaSecrets(stream secretv3.SecretDiscoveryService_DeltaSecretsServer) error {
	c := &conversation{server: s, stream: stream, watch: newWatch(), told: map[string]string{}}
	defer c.end()
	asked, failed := c.listen()
	for {
		var err error
		select {
		case err = <-failed:
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return err
		case <-c.watch.wake:
		case r := <-asked:
			err = c.take(r)
		}
		if err == nil {
			err = c.tell()
		}
		if err != nil {
			return err
		}
	}
}

// conversation is one stream.
type conversation struct {
	server *Server
	stream secretv3.SecretDiscoveryService_DeltaSecretsServer
	watch  *watch
	// told is which version of each name was sent; empty: nothing yet.
	told  map[string]string
	nonce uint64
}

// listen reads requests until the stream ends, which it does when its handler
// returns.
func (c *conversation) listen() (<-chan *discoveryv3.DeltaDiscoveryRequest, <-chan error) {
	asked, failed := make(chan *discoveryv3.DeltaDiscoveryRequest), make(chan error, 1)
	go func() {
		for {
			r, err := c.stream.Recv()
			if err != nil {
				failed <- err
				return
			}
			select {
			case asked <- r:
			case <-c.stream.Context().Done():
				failed <- c.stream.Context().Err()
				return
			}
		}
	}()
	return asked, failed
}

func (c *conversation) take(r *discoveryv3.DeltaDiscoveryRequest) error {
	if t := r.GetTypeUrl(); t != "" && t != secretType {
		return status.Errorf(codes.InvalidArgument, "%q is not served here", t)
	}
	if d := r.GetErrorDetail(); d != nil {
		c.server.leaves.cfg.Log.Error("Envoy refused a minted certificate", "message", d.GetMessage())
	}
	for _, n := range r.GetResourceNamesUnsubscribe() {
		c.forget(n)
	}
	for _, n := range r.GetResourceNamesSubscribe() {
		if len(c.told) >= maxPerStream {
			return status.Error(codes.ResourceExhausted, "too many names on one stream")
		}
		c.told[n] = ""
	}
	return nil
}

// tell sends what is not known yet.
func (c *conversation) tell() error {
	out := &discoveryv3.DeltaDiscoveryResponse{TypeUrl: secretType}
	for _, name := range slices.Sorted(maps.Keys(c.told)) {
		leaf, ok := c.server.leaves.leaf(name, c.watch)
		switch {
		case !ok:
			out.RemovedResources = append(out.RemovedResources, name)
			c.forget(name)
		case leaf.Version != c.told[name]:
			r, err := c.server.resource(name, leaf)
			if err != nil {
				return err
			}
			out.Resources = append(out.Resources, r)
			c.told[name] = leaf.Version
		}
	}
	if len(out.GetResources())+len(out.GetRemovedResources()) == 0 {
		return nil
	}
	c.nonce++
	out.Nonce = strconv.FormatUint(c.nonce, 10)
	return c.stream.Send(out)
}

func (s *Server) resource(name string, leaf *Leaf) (*discoveryv3.Resource, error) {
	secret, err := anypb.New(s.secret(name, leaf))
	if err != nil {
		return nil, status.Error(codes.Internal, "encode a secret")
	}
	return &discoveryv3.Resource{Name: name, Version: leaf.Version, Resource: secret}, nil
}

func (s *Server) secret(name string, leaf *Leaf) *tlsv3.Secret {
	return envoy.CertificateSecret(graph.Certificate{Name: name, Chain: leaf.Chain, Key: s.leaves.pem.Reveal()})
}

func (c *conversation) forget(name string) {
	delete(c.told, name)
	c.server.leaves.unwatch(name, c.watch)
}

func (c *conversation) end() {
	for name := range c.told {
		c.server.leaves.unwatch(name, c.watch)
	}
}
