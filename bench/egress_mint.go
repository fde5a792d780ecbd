package main

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"runtime"
	"time"

	"github.com/hopgate/hopgate/xds/secrets"
)

// minting is what a leaf costs in this process, against its signature alone:
// what x509.CreateCertificate takes for a key of the same kind.
func (b *bench) minting(ctx context.Context) ([]figure, error) {
	b.say("egress: mint")
	a, err := newAuthority()
	if err != nil {
		return nil, err
	}
	leaves, err := newLeaves()
	if err != nil {
		return nil, err
	}
	t := template("host-0.example.com")
	signed := &work{name: "signature", do: func() {
		if _, err := x509.CreateCertificate(rand.Reader, t, a.cert, a.key.Public(), a.key); err != nil {
			panic("sign a certificate: " + err.Error()) // nothing of it changes
		}
	}}
	n := 0
	minted := &work{name: "new", do: func() { n++; approve(leaves, fmt.Sprintf("host-%d.example.com", n)) }}
	known := &work{name: "known", do: func() { approve(leaves, "known.example.com") }}
	if err := b.inTurn(ctx, "mint", []*work{signed, minted, known}, b.egressSpan()); err != nil {
		return nil, err
	}
	out := []figure{
		newFigure("egress/mint/new", "CPU of a leaf for a new name; baseline: x509.CreateCertificate, ECDSA P-256", minted.quiet(), micros).against(signed.quiet()),
		newFigure("egress/mint/new-allocs", "its allocations", allocsOf(minted.do), count).against(allocsOf(signed.do)),
		newFigure("egress/mint/known", "CPU of the approval of a name that has a leaf; baseline: of a new one", known.quiet(), micros).against(minted.quiet()),
		newFigure("egress/mint/known-allocs", "its allocations", allocsOf(known.do), count).against(allocsOf(minted.do)),
	}
	return out, nil
}

// newLeaves is what a hopgate mints by, for one name besides the one that is
// always there.
func newLeaves() (*secrets.Leaves, error) {
	now := time.Now()
	cert, key, err := secrets.MakeCA(secrets.Params{Name: "bench", Lifetime: 48 * time.Hour}, now, rand.Reader)
	if err != nil {
		return nil, err
	}
	ca, err := secrets.ParseCA(cert, key.Reveal(), now)
	if err != nil {
		return nil, err
	}
	l, err := secrets.NewLeaves(secrets.Config{CA: ca, Now: time.Now, Rand: rand.Reader, MaxNames: 2})
	if err != nil {
		return nil, err
	}
	_, err = l.Approve("known.example.com") // it stays approved
	return l, err
}

// approve has a leaf for a name, and gives it up.
func approve(l *secrets.Leaves, name string) {
	release, err := l.Approve(name)
	if err != nil {
		panic("approve a name: " + err.Error()) // every one of them is good
	}
	release()
}

// allocsTimes is how often something is done whose allocations are counted.
const allocsTimes = 200

// allocsOf is how often do allocates. Nothing else may run in this process.
func allocsOf(do func()) float64 {
	var before, after runtime.MemStats
	do()
	runtime.ReadMemStats(&before)
	for range allocsTimes {
		do()
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / allocsTimes
}
