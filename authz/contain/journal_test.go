package contain

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tellingDisk is the operating system's, and tells what is done to it.
type tellingDisk struct {
	osDisk
	did []string
	// fails is what fails; empty: nothing.
	fails string
}

var errDisk = errors.New("the disk is gone")

func (d *tellingDisk) does(what string) error {
	d.did = append(d.did, what)
	if what == d.fails {
		return errDisk
	}
	return nil
}

// done is what was done since it was asked last.
func (d *tellingDisk) done() []string {
	did := d.did
	d.did = nil
	return did
}

func (d *tellingDisk) temp(dir string) (file, error) {
	f, err := d.osDisk.temp(dir)
	return &tellingFile{f, d}, err
}

func (d *tellingDisk) rename(from, to string) error {
	return errors.Join(d.does("rename"), d.osDisk.rename(from, to))
}

func (d *tellingDisk) syncDir(dir string) error {
	return errors.Join(d.does("sync folder"), d.osDisk.syncDir(dir))
}

type tellingFile struct {
	file
	disk *tellingDisk
}

func (f *tellingFile) Write(p []byte) (int, error) {
	n, err := f.file.Write(p)
	return n, errors.Join(f.disk.does("write"), err)
}

func (f *tellingFile) Sync() error { return errors.Join(f.disk.does("sync"), f.file.Sync()) }

// onDisk opens the rig's store on a disk that tells.
func (r *rig) onDisk(d *tellingDisk) {
	r.t.Helper()
	if err := r.Close(); err != nil {
		r.t.Fatal(err)
	}
	s, err := open(Config{Path: r.path, Now: func() time.Time { return r.now }, Rand: &counting{}}, d)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Store = s
	r.t.Cleanup(func() { _ = s.Close() }) // a test may have closed it
}

// TestOrdersAreOnDiskBeforeTheyAreAcknowledged: a crash of the machine loses
// none, neither the order nor its end, nor those that were written again.
func TestOrdersAreOnDiskBeforeTheyAreAcknowledged(t *testing.T) {
	t.Parallel()
	r, d := newRig(t), &tellingDisk{}
	first := r.add(Order{Kind: KindAgent, Domain: domain, Value: "coder"})
	r.onDisk(d)
	written := []string{"write", "sync"}
	if diff := cmp.Diff(slices.Concat(written, []string{"rename", "sync folder"}), d.done()); diff != "" {
		t.Errorf("to open it (-want +got):\n%s", diff)
	}
	for range 2 {
		r.add(Order{Kind: KindSubject, Domain: domain, Value: "alice"})
		if diff := cmp.Diff(written, d.done()); diff != "" {
			t.Errorf("when an order is acknowledged (-want +got):\n%s", diff)
		}
	}
	if _, ok, err := r.Lift(first.ID); !ok || err != nil {
		t.Fatalf("Lift = %v, %v", ok, err)
	}
	if diff := cmp.Diff(written, d.done()); diff != "" {
		t.Errorf("when the end of one is (-want +got):\n%s", diff)
	}
}

// TestWhatIsNotOnDiskIsNotAcknowledged, and does not stand.
func TestWhatIsNotOnDiskIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	r, d := newRig(t), &tellingDisk{}
	first := r.add(Order{Kind: KindAgent, Domain: domain, Value: "coder"})
	r.onDisk(d)
	d.fails = "sync"
	o := Order{Verb: VerbQuarantine, Kind: KindSubject, Domain: domain, Value: "alice", Since: r.now, Until: r.now.Add(time.Hour)}
	if _, err := r.Add(o); !errors.Is(err, errDisk) {
		t.Errorf("Add = %v", err)
	}
	if _, _, err := r.Lift(first.ID); !errors.Is(err, errDisk) {
		t.Errorf("Lift = %v", err)
	}
	if got := r.Orders(); len(got) != 1 || got[0].ID != first.ID {
		t.Errorf("there stand %v", got)
	}
	d.fails = ""
	r.add(Order{Kind: KindSubject, Domain: domain, Value: "bob"})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r.open()
	if got := r.Orders(); len(got) != 2 {
		t.Errorf("after a restart there stand %v", got)
	}
	for _, fails := range []string{"rename", "sync folder"} {
		if _, err := open(Config{Path: r.path, Now: func() time.Time { return r.now }, Rand: &counting{}}, &tellingDisk{fails: fails}); !errors.Is(err, errDisk) {
			t.Errorf("%s fails: open = %v", fails, err)
		}
	}
}
