package file

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hopgate/hopgate/gateway/source/schema"
)

// routeText is one HTTPRoute as people write them.
func routeText(i int) string {
	return fmt.Sprintf(`apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: route-%d
  namespace: agents
spec:
  parentRefs:
  - {name: egress, sectionName: agents}
  hostnames: [host-%d.example]
  rules:
  - name: tools
    matches:
    - path: {type: PathPrefix, value: /mcp}
    filters:
    - type: RequestHeaderModifier
      requestHeaderModifier: {set: [{name: x-team, value: research}]}
    backendRefs:
    - {group: gateway.networking.x-k8s.io, kind: XBackend, name: backend-%d}
    timeouts: {request: 30s}
`, i, i, i)
}

func writeRoutes(b testing.TB, dir string, n int) {
	b.Helper()
	for i := range n {
		path := filepath.Join(dir, fmt.Sprintf("route-%04d.yaml", i))
		if err := os.WriteFile(path, []byte(routeText(i)), 0o600); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLoad reads routes, one a file, with compiled schemas.
func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) {
			dir := b.TempDir()
			writeRoutes(b, dir, n)
			checker := schema.New()
			for b.Loop() {
				s, err := New(Config{Paths: []string{dir}, Checker: checker})
				if err != nil {
					b.Fatal(err)
				}
				if d := s.Load(); len(d.Upserts) != n || len(d.Problems) != 0 {
					b.Fatalf("objects: %d, problems: %v", len(d.Upserts), d.Problems)
				}
			}
		})
	}
}

// BenchmarkColdLoad compiles the schema each time, as a start does.
func BenchmarkColdLoad(b *testing.B) {
	dir := b.TempDir()
	writeRoutes(b, dir, 10)
	for b.Loop() {
		s, err := New(Config{Paths: []string{dir}})
		if err != nil {
			b.Fatal(err)
		}
		s.Load()
	}
}

// BenchmarkEdit changes one of 1,000 routes.
func BenchmarkEdit(b *testing.B) {
	dir := b.TempDir()
	writeRoutes(b, dir, 1000)
	// An hour later the times of the files can be trusted.
	later := func() time.Time { return time.Now().Add(time.Hour) }
	s, err := New(Config{Paths: []string{dir}, Now: later})
	if err != nil {
		b.Fatal(err)
	}
	s.Load()
	i := 1000
	for b.Loop() {
		i++
		if err := os.WriteFile(filepath.Join(dir, "route-0500.yaml"), []byte(routeText(i)), 0o600); err != nil {
			b.Fatal(err)
		}
		s.refresh()
	}
}

// BenchmarkNothing looks at 1,000 files of which none changed.
func BenchmarkNothing(b *testing.B) {
	dir := b.TempDir()
	writeRoutes(b, dir, 1000)
	s, err := New(Config{Paths: []string{dir}, Now: func() time.Time { return time.Now().Add(time.Hour) }})
	if err != nil {
		b.Fatal(err)
	}
	s.Load()
	for b.Loop() {
		s.refresh()
	}
}
