package budget

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"
)

// line is one of the file: what one account has used in some slices. A later line
// adds to the earlier ones, and the larger number of a slice counts. The first
// line is the key of hashes.
type line struct {
	Key string `json:"key,omitempty"`

	Kind   string        `json:"kind,omitempty"`
	Domain string        `json:"domain,omitempty"`
	Value  string        `json:"value,omitempty"`
	Policy string        `json:"policy,omitempty"`
	Rule   string        `json:"rule,omitempty"`
	Window time.Duration `json:"window,omitempty"`
	Bytes  []sliceBytes  `json:"bytes,omitempty"`
	Names  []sliceName   `json:"names,omitempty"`
}

// sliceBytes are all bytes of a slice, sliceName is the hash of a name.
type sliceBytes struct {
	Slice int64 `json:"slice"`
	Bytes int64 `json:"bytes"`
}

type sliceName struct {
	Slice int64  `json:"slice"`
	Name  uint64 `json:"name,string"`
}

func kinds() []string { return []string{Agent: "agent", Subject: "subject", Peer: "peer"} }

func lineOf(k key) *line {
	return &line{
		Kind: kinds()[k.principal.Kind], Domain: k.principal.Domain, Value: k.principal.Value,
		Policy: k.policy, Rule: k.rule, Window: k.window,
	}
}

func (l *line) account() key {
	kind := Kind(max(0, slices.Index(kinds(), l.Kind)))
	return key{Principal{kind, l.Domain, l.Value}, l.Policy, l.Rule, l.Window}
}

func (l *line) append(to []byte) []byte {
	text, err := json.Marshal(l)
	if err != nil {
		return to // numbers and strings can be marshalled
	}
	return append(append(to, text...), '\n')
}

// lines are all that the file is to have: what is used, and what the file is ahead
// of it, but for exactly.
func (b *Book) lines(exactly bool) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := (&line{Key: hex.EncodeToString(b.hashKey[:])}).append(nil)
	now := b.cfg.Now()
	for _, a := range b.accounts {
		a.turn(now)
		l := lineOf(a.key)
		for i := max(0, a.at-slots+1); i <= a.at; i++ {
			n := &a.kept[i%slots]
			if *n = max(*n, a.bytes[i%slots]); exactly {
				*n = a.bytes[i%slots]
			}
			if *n > 0 {
				l.Bytes = append(l.Bytes, sliceBytes{i, *n})
			}
		}
		for h, last := range a.names {
			a.names[h] = use{last.at, true}
			l.Names = append(l.Names, sliceName{last.at, h})
		}
		if l.Bytes != nil || l.Names != nil {
			out = l.append(out)
		}
	}
	return out
}

// load takes what the file has. One that cannot be read is set aside.
func (b *Book) load() error {
	raw, err := readFile(b.cfg.Path, b.cfg.MaxFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read budgets: %w", err)
	}
	used, key, err := parse(raw)
	if int64(len(raw)) > b.cfg.MaxFile {
		err = errTooLarge
	}
	if err != nil {
		aside := b.cfg.Path + ".damaged"
		b.cfg.Log.Error("what was used of budgets is not known: its file is set aside, and all of them begin anew", "file", b.cfg.Path, "aside", aside, "error", err)
		if err := os.Rename(b.cfg.Path, aside); err != nil {
			return fmt.Errorf("set budgets aside: %w", err)
		}
		return nil
	}
	copy(b.hashKey[:], key)
	now := b.cfg.Now()
	for k, u := range used {
		if a := u.account(k, now); !a.idle() {
			b.accounts[k] = a
			b.weigh(a)
		}
	}
	return nil
}

// readFile reads a file, and of a larger one a byte more than most.
func readFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most+1))
}

// used is what the file has of one account.
type used struct {
	bytes map[int64]int64
	names map[uint64]int64
}

var (
	errNoKey    = errors.New("the first line is no key")
	errTooLarge = errors.New("it is larger than any that was written here")
)

// parse passes over a last line without its end: nobody has used what it is of.
func parse(raw []byte) (all map[key]*used, hashKey []byte, err error) {
	all = map[key]*used{}
	for n := 1; len(raw) > 0; n++ {
		text, rest, whole := bytes.Cut(raw, []byte("\n"))
		if raw = rest; !whole {
			break
		}
		l, err := parseLine(text)
		switch {
		case err != nil:
			return nil, nil, fmt.Errorf("line %d: %w", n, err)
		case n == 1:
			if hashKey, err = hex.DecodeString(l.Key); err != nil || len(hashKey) != 16 {
				return nil, nil, errNoKey
			}
			continue
		}
		if err := l.check(); err != nil {
			return nil, nil, fmt.Errorf("line %d: %w", n, err)
		}
		l.addTo(all)
	}
	if hashKey == nil {
		return nil, nil, errNoKey
	}
	return all, hashKey, nil
}

func parseLine(text []byte) (*line, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	l := &line{}
	if err := d.Decode(l); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	return l, nil
}

// check refuses what no book has written.
func (l *line) check() error {
	switch {
	case l.Key != "":
		return errors.New("a second key")
	case !slices.Contains(kinds(), l.Kind):
		return fmt.Errorf("kind %q is not known", l.Kind)
	case l.Window <= 0:
		return errors.New("a window of no time")
	case slices.ContainsFunc(l.Bytes, func(s sliceBytes) bool { return s.Slice < 0 || s.Bytes < 0 }),
		slices.ContainsFunc(l.Names, func(s sliceName) bool { return s.Slice < 0 }):
		return errors.New("a number below zero")
	}
	return nil
}

func (l *line) addTo(all map[key]*used) {
	u := all[l.account()]
	if u == nil {
		u = &used{bytes: map[int64]int64{}, names: map[uint64]int64{}}
		all[l.account()] = u
	}
	for _, s := range l.Bytes {
		u.bytes[s.Slice] = max(u.bytes[s.Slice], s.Bytes)
	}
	for _, s := range l.Names {
		u.names[s.Name] = max(u.names[s.Name], s.Slice)
	}
}

// account is that of k, with what counts of u at a time. What is of a time that
// has not come, by a clock that went wrong, counts as of now: it is neither lost
// nor for ever.
func (u *used) account(k key, now time.Time) *account {
	a := newAccount(k)
	a.turn(now)
	for _, at := range slices.Sorted(maps.Keys(u.bytes)) {
		if a.at-at < slots {
			i := min(at, a.at) % slots
			a.bytes[i] = plus(a.bytes[i], u.bytes[at])
		}
	}
	for h, at := range u.names {
		if a.at-at >= slots {
			continue
		}
		if a.names == nil {
			a.names = map[uint64]use{}
		}
		a.names[h] = use{at: min(at, a.at)}
	}
	return a
}
