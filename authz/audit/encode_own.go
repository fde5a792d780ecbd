package audit

import "strconv"

// own writes what only the log's own lines have.
func (e *encoder) own(r *Record) {
	if r.Boot != nil {
		e.boot(r.Boot)
	}
	if r.Resume != nil {
		e.resume(r.Resume)
	}
	if r.Checkpoint != nil {
		e.checkpoint(r.Checkpoint)
	}
}

func (e *encoder) checkpoint(c *Checkpoint) {
	e.b = append(e.b, `,"checkpoint":{"why":"`...)
	e.b, _ = appendText(e.b, c.Why, 32) // ours, and shorter: nothing is cut
	e.b = append(e.b, `","key":"`...)
	e.b, _ = appendText(e.b, c.Key, 32) // 16 digits
	e.b = strconv.AppendInt(append(e.b, `","every":`...), int64(c.Every), 10)
	e.b = append(e.b, '}')
}

func (e *encoder) boot(b *Boot) {
	e.b = strconv.AppendBool(append(e.b, `,"boot":{"clean":`...), b.Clean)
	e.member(fieldBoot, "version", b.Version, false)
	e.num(`,"torn":`, b.Torn)
	e.num(`,"lost":`, int64(b.Lost))
	e.close(e.member(fieldBoot, "note", b.Note, false))
}

func (e *encoder) resume(r *Resume) {
	e.b = append(e.b, `,"resume":{"since":"`...)
	e.b = append(appendMicros(e.b, r.Since), '"')
	e.num(`,"refused":`, int64(r.Refused))
	e.close(e.member(fieldResume, "error", r.Error, false))
}
