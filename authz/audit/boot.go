package audit

import (
	"crypto/ed25519"
	"errors"
	"fmt"
)

// newWriter opens the file and takes it over.
func newWriter(l *Log, d disk) (*writer, error) {
	f, err := d.open(l.cfg.Path)
	if err != nil {
		return nil, err
	}
	w := &writer{log: l, disk: d, file: f, logger: l.cfg.Logger, scribe: scribe{
		key:    l.cfg.Key,
		keyID:  KeyID(l.cfg.Key.Public().(ed25519.PublicKey)),
		bootID: l.bootID,
		every:  l.cfg.CheckpointRecords,
		now:    l.cfg.Now,
	}}
	if err := w.boot(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return w, nil
}

// boot goes on where the last process stopped.
func (w *writer) boot() error {
	r, err := w.findEnd(w.log.cfg.Progress)
	if err != nil {
		return err
	}
	if r.torn > 0 {
		if err := w.file.Truncate(r.size); err != nil {
			return fmt.Errorf("cut an unfinished line: %w", err)
		}
	}
	w.chain, w.open, w.size = r.chain, r.open, r.size
	if err := w.arrive(r); err != nil {
		return err
	}
	w.save(false)
	return nil
}

// arrive writes the first lines of a process. What the last one left unsigned
// is signed before, so that each checkpoint's promise of the next holds.
func (w *writer) arrive(r recovery) error {
	b := batch{chain: w.chain}
	if w.chain.bare > 0 {
		w.checkpoint(&b, whyBoot)
	}
	w.line(&b, w.scribe.body(&Record{Kind: KindBoot, Boot: &Boot{
		Clean: r.clean, Version: w.log.cfg.Version, Torn: r.torn, Lost: len(r.open), Note: r.note,
	}}))
	if b.chain.bare > 0 {
		w.checkpoint(&b, whyBoot)
	}
	if err := w.commit(b); err != nil {
		return err
	}
	return w.buryAll()
}

// buryAll ends the hops that the last process left open.
func (w *writer) buryAll() error {
	b := batch{chain: w.chain}
	for _, h := range w.open.sorted() {
		w.lose(&b, h, "the gateway stopped before it ended")
		if len(b.out) < batchBytes {
			continue
		}
		if err := w.commit(b); err != nil {
			return err
		}
		b = batch{chain: w.chain}
	}
	if b.chain.bare > 0 {
		w.checkpoint(&b, whyBoot)
	}
	w.open = openHops{}
	return w.commit(b)
}
