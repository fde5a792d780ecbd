package serve

// maxRefusals bounds how many refused versions of one resource are kept. More
// than this are known only while a bisection runs over its bound.
const maxRefusals = 1024

// refusals are the versions of one resource that an Envoy refused, with its
// words. The oldest are forgotten first.
type refusals struct {
	words map[string]string
	order []string
}

func (r *refusals) add(version, words string) {
	if _, ok := r.words[version]; ok {
		return
	}
	if r.words == nil {
		r.words = map[string]string{}
	}
	if len(r.order) == maxRefusals {
		delete(r.words, r.order[0])
		r.order = r.order[1:]
	}
	r.words[version] = words
	r.order = append(r.order, version)
}

func (r *refusals) get(version string) (words string, refused bool) {
	words, refused = r.words[version]
	return words, refused
}

func (r *refusals) has(ed *edition) bool {
	_, refused := r.words[ed.version]
	return refused
}
