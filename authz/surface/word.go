package surface

import "strings"

// Words are what a request says under names that rules choose.
type Words interface {
	// Header is what it says in the header of this name, in lower case.
	Header(name string) Word
	// Parameter is what it says in the parameter of this name of its query.
	Parameter(name string) Word
}

// Word is what a request says under one name.
type Word struct {
	Text string
	// Doubt is why readers may differ over what it says, so that it opens
	// nothing; empty: they do not.
	Doubt Doubt
}

// Doubt is why it cannot be told what a request says under a name.
type Doubt string

const (
	// DoubtMissing: nothing.
	DoubtMissing Doubt = "it is not there"
	// DoubtTwice: it is there more than once, or by another spelling too.
	DoubtTwice Doubt = "it is there more than once, or in another spelling"
	// DoubtList: it could be read as several. Text is all of it, as it came.
	DoubtList Doubt = "it can be read as more than one value"
	// DoubtForm: it is written in a way that readers do not agree on.
	DoubtForm Doubt = "it is written in a way that is read in more than one way"
	// DoubtLong: it is longer than is looked at.
	DoubtLong Doubt = "it is too long to be judged"
)

// maxWord is the longest value of a header that is judged.
const maxWord = 4 << 10

// HeaderWord is what headers say under a name, by all of them: each calls f
// with every header that there is. A name in another spelling, such as with
// underscores for hyphens, is for some servers the same one.
func HeaderWord(name string, each func(f func(key, value string))) Word {
	var found Field
	other := false
	each(func(key, value string) {
		if key == name {
			found.Add(value)
		} else if Resembles(key, name) {
			other = true
		}
	})
	switch {
	case found.Count > 1 || other:
		return Word{Doubt: DoubtTwice}
	case found.Count == 0 || found.Value == "":
		return Word{Doubt: DoubtMissing}
	case len(found.Value) > maxWord:
		return Word{Doubt: DoubtLong}
	}
	return Word{Text: found.Value, Doubt: doubtOf(found.Value)}
}

// doubtOf finds what has a value be a list for some readers (RFC 9110 section
// 5.6), or none for others.
func doubtOf(v string) Doubt {
	if v[0] == ' ' || v[len(v)-1] == ' ' {
		return DoubtForm
	}
	for i := range len(v) {
		if v[i] < ' ' || v[i] > '~' {
			return DoubtForm
		}
	}
	if strings.ContainsAny(v, `,;"\`) {
		return DoubtList
	}
	return ""
}

// Kept are words that were read of a request that is gone. What is not among
// them is as good as missing.
type Kept []KeptWord

// KeptWord is one of them. Header is false of a parameter.
type KeptWord struct {
	Header bool
	Name   string
	Word   Word
}

// Header implements Words.
func (k Kept) Header(name string) Word { return k.find(true, name) }

// Parameter implements Words.
func (k Kept) Parameter(name string) Word { return k.find(false, name) }

func (k Kept) find(header bool, name string) Word {
	for i := range k {
		if k[i].Header == header && k[i].Name == name {
			return k[i].Word
		}
	}
	return Word{Doubt: DoubtMissing}
}

var _ Words = Kept(nil)
