package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// scene is something that the agent tries.
type scene struct {
	title string
	try   func(context.Context) (command, said string, err error)
	// works: it is to.
	works bool
	// code is the reason that the record is to have; empty: no denial.
	code string
	// seen is what a registry is to be asked for, unseen what none is: parts of
	// what a server sees.
	seen, unseen string
}

func (d *demo) scenes() []scene {
	return []scene{
		{title: "an approved release is installed", try: d.pip("packages", "greeting==1.0"), works: true, seen: "packages: GET /packages/greeting-1.0-"},
		{title: "a release that is too new is not", try: d.pip("packages", "greeting==2.0"), code: "release_too_new", unseen: "GET /packages/greeting-2.0-"},
		{title: "a package that nobody has listed is not", try: d.pip("packages", "surprise"), code: "no_rule", unseen: "surprise"},
		{title: "an approved module is fetched", try: d.goGet("modules.example/acme/greet"), works: true, seen: "modules: GET /modules.example/acme/greet/@v/v1.0.0.zip"},
		{title: "another module is not", try: d.goGet("modules.example/surprise/box"), code: "no_rule", unseen: "surprise"},
		{title: "nothing is published", try: d.upload, code: "registry_closed", unseen: "/legacy/"},
		{title: "another registry is not there", try: d.pip("elsewhere", "greeting==1.0"), code: "no_rule", unseen: "elsewhere:"},
	}
}

var errDone = errors.New("it is done")

// scene tries, and holds what came of it against what should.
func (d *demo) scene(ctx context.Context, s scene) error {
	before, err := d.denials()
	if err != nil {
		return err
	}
	command, said, err := s.try(ctx)
	d.show("agent", "$ %s\n%s", command, said)
	if (err == nil) != s.works {
		return fmt.Errorf("it was to end otherwise (%s): %w", said, cmp.Or(err, errDone))
	}
	if err := d.denied(ctx, len(before), s.code); err != nil {
		return err
	}
	all := strings.Join(d.world.Seen(), "\n")
	if !strings.Contains(all, s.seen) || s.unseen != "" && strings.Contains(all, s.unseen) {
		return errors.New("the registries were asked for:\n" + all)
	}
	return nil
}

// pip installs a package from an index, into a folder of the run.
func (d *demo) pip(index, what string) func(context.Context) (string, string, error) {
	return func(ctx context.Context) (string, string, error) {
		at := d.ports.url(index)
		args := []string{"-m", "pip", "install", "--index-url", at + "/simple", what}
		more := []string{
			"--trusted-host", index + ".example", "--target", filepath.Join(d.dir, "site"), "--upgrade", "--no-deps", "--no-cache-dir", "--no-input",
			"--disable-pip-version-check", "--retries", "0", "--quiet",
		}
		out, err := d.agent(ctx, []string{"PIP_CONFIG_FILE=" + os.DevNull, "PYTHONNOUSERSITE=1"}, "python3", append(args, more...)...)
		if err == nil {
			out = "installed"
		}
		return "pip " + strings.Join(args[2:], " "), out, err
	}
}

// goGet downloads a module from the curated proxy of modules.
func (d *demo) goGet(module string) func(context.Context) (string, string, error) {
	return func(ctx context.Context) (string, string, error) {
		at := d.ports.url("modules")
		env := []string{
			"GOPROXY=" + at, "GONOSUMDB=*", "GONOSUMCHECK=1", "GOFLAGS=-modcacherw", "GOWORK=off", "GOTOOLCHAIN=local",
			"GOMODCACHE=" + filepath.Join(d.dir, "modules"), "GOENV=off", "GOSUMDB=off",
		}
		args := []string{"mod", "download", module + "@v1.0.0"}
		out, err := d.agent(ctx, env, "go", args...)
		if err == nil {
			out = "downloaded"
		}
		return "GOPROXY=" + at + " go " + strings.Join(args, " "), out, err
	}
}
