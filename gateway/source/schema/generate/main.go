// Command generate writes the schemas that package schema embeds: those of the
// CRDs of the pinned Gateway API module (experimental channel) and of
// config/crd, one compact JSON file a kind, without descriptions and status.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	log.SetFlags(0)
	root := flag.String("root", ".", "root of the repository")
	out := flag.String("out", "", "folder to write to; empty: the one that package schema embeds")
	flag.Parse()
	if *out == "" {
		*out = filepath.Join(*root, "gateway", "source", "schema", "data")
	}
	if err := run(*root, *out); err != nil {
		log.Fatal(err)
	}
}

// run writes the schemas for the repository at root to the folder out, and
// removes what is there besides.
func run(root, out string) error {
	files, err := generate(root)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(out, "*.json"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if _, ok := files[filepath.Base(path)]; !ok {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(out, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate returns the files by name.
func generate(root string) (map[string][]byte, error) {
	module, err := moduleDir(root, "sigs.k8s.io/gateway-api")
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte)
	for _, p := range crdPaths(root, filepath.Join(module, "config", "crd", "experimental")) {
		crd, err := readCRD(p)
		if err != nil {
			return nil, err
		}
		text, err := compact(crd)
		if err != nil {
			return nil, fmt.Errorf("compact %s: %w", p, err)
		}
		files[crd.Spec.Group+"_"+crd.Spec.Names.Kind+".json"] = text
	}
	return files, nil
}

// crdPaths are the CRDs of the kinds that package source reads.
func crdPaths(root, gateway string) []string {
	own := filepath.Join(root, "config", "crd")
	return []string{
		filepath.Join(gateway, "gateway.networking.k8s.io_gatewayclasses.yaml"),
		filepath.Join(gateway, "gateway.networking.k8s.io_gateways.yaml"),
		filepath.Join(gateway, "gateway.networking.k8s.io_httproutes.yaml"),
		filepath.Join(gateway, "gateway.networking.k8s.io_referencegrants.yaml"),
		filepath.Join(gateway, "gateway.networking.x-k8s.io_xbackends.yaml"),
		filepath.Join(own, "hopgate.dev_accesspolicies.yaml"),
		filepath.Join(own, "hopgate.dev_credentials.yaml"),
		filepath.Join(own, "hopgate.dev_gatewayconfigs.yaml"),
		filepath.Join(own, "hopgate.dev_quarantines.yaml"),
		filepath.Join(own, "hopgate.dev_trustdomains.yaml"),
	}
}

// moduleDir is where the go command keeps a module of the repository.
func moduleDir(root, module string) (string, error) {
	cmd := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("find module %s: %w", module, err)
	}
	dir := strings.TrimSpace(string(out))
	if dir == "" {
		return "", fmt.Errorf("find module %s: not downloaded; run go mod download", module)
	}
	return dir, nil
}
