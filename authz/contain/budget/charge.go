package budget

import "time"

// Charge is what one hop is counted for while it lives.
type Charge struct {
	book *Book
	cut  func()
	// counted is true of a hop whose body is counted as it comes, body what was
	// counted of it so far.
	counted bool
	body    int64
	parts   []part
	over    bool
	unkept  bool // guarded by the book's mu
}

// part is what was counted for a hop in one account.
type part struct {
	account *account
	// at is the slice of the last of it, n all of it.
	at, n, limit int64
}

// Take counts n bytes of the body that are about to be sent, and reports whether
// there is room for them: then they may be, and else not one of them. Where
// there is none, all that use the account as they go are cut.
func (c *Charge) Take(n int) bool {
	if c == nil || !c.counted {
		return true
	}
	ok, last, cut := c.take(int64(n))
	for _, f := range cut {
		f()
	}
	if c.book.wait(last) == nil || !ok {
		return ok
	}
	c.book.mu.Lock()
	defer c.book.mu.Unlock()
	c.unkept = true
	return false
}

// Unkept reports whether a Take found room and failed all the same, because it
// cannot be kept what is used.
func (c *Charge) Unkept() bool {
	if c == nil {
		return false
	}
	c.book.mu.Lock()
	defer c.book.mu.Unlock()
	return c.unkept
}

// Saw is told how many bytes of the body Envoy has counted so far: those that
// nobody took count now, and what is too much ends those that use the account.
func (c *Charge) Saw(total uint64) {
	if c == nil || !c.counted {
		return
	}
	c.book.mu.Lock()
	missing := int64(min(total, 1<<62)) - c.body
	if missing <= 0 || c.over {
		c.book.mu.Unlock()
		return
	}
	cut := c.sent(missing)
	c.book.mu.Unlock()
	for _, f := range cut {
		f()
	}
}

// End settles what the hop has used: total is what Envoy has counted of its
// body, known is false where it has not. What it did not send it gets back.
func (c *Charge) End(total uint64, known bool) {
	if c == nil {
		return
	}
	c.book.mu.Lock()
	defer c.book.mu.Unlock()
	if c.over {
		return
	}
	if n := int64(min(total, 1<<62)); known && n < c.body && !c.counted {
		for i := range c.parts {
			c.parts[i].account.giveBack(c.body-n, c.parts[i].at)
		}
	} else if known && n > c.body {
		c.count(n-c.body, c.book.cfg.Now()) // who goes on finds out with the next piece
	}
	c.leave()
}

// Cancel takes back a hop that has not begun after all.
func (c *Charge) Cancel() {
	if c == nil {
		return
	}
	c.book.mu.Lock()
	defer c.book.mu.Unlock()
	c.undo()
}

func (c *Charge) take(n int64) (ok bool, last ticket, cut []func()) {
	b := c.book
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.over {
		return false, 0, nil
	}
	now := b.cfg.Now()
	for i := range c.parts {
		p := &c.parts[i]
		p.account.turn(now)
		if used := p.account.used(); used > p.limit-n {
			// What is left is too little, and counts as used: who is cut is not to
			// come again at once for the rest.
			p.account.add(max(0, p.limit-used))
			return false, b.keep(p.account, p.limit), b.exhausted(p.account)
		}
	}
	c.count(n, now)
	for i := range c.parts {
		last = max(last, b.keep(c.parts[i].account, c.parts[i].limit))
	}
	return true, last, nil
}

func (p *part) add(n int64) {
	p.account.add(n)
	p.at, p.n = p.account.at, plus(p.n, n)
}

// sent counts what is gone already; mu is held.
func (c *Charge) sent(n int64) (cut []func()) {
	c.count(n, c.book.cfg.Now())
	for i := range c.parts {
		if p := &c.parts[i]; p.account.used() > p.limit {
			cut = append(cut, c.book.exhausted(p.account)...)
		}
	}
	return cut
}

// count counts n bytes more of the body; mu is held.
func (c *Charge) count(n int64, now time.Time) {
	for i := range c.parts {
		c.parts[i].account.turn(now)
		c.parts[i].add(n)
	}
	c.body = plus(c.body, n)
	c.book.bytes.Add(float64(n))
}

// exhausted are those that are to be cut, for an account that has no room left;
// mu is held.
func (b *Book) exhausted(a *account) (cut []func()) {
	for c := range a.live {
		if c.cut != nil {
			cut = append(cut, c.cut)
		}
		delete(a.live, c)
	}
	b.cuts.Add(float64(len(cut)))
	return cut
}

// undo takes back a hop that does not begin; mu is held.
func (c *Charge) undo() {
	for _, p := range c.parts {
		p.account.giveBack(p.n, p.at)
	}
	c.leave()
}

// leave ends the charge; mu is held.
func (c *Charge) leave() {
	c.over = true
	for _, p := range c.parts {
		delete(p.account.live, c)
	}
}
