package translate

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/gateway/api/feedv1"
	"github.com/hopgate/hopgate/gateway/api/v1alpha1"
	"github.com/hopgate/hopgate/gateway/source"
)

// TestRevision: it is that of the content, whatever the way to it.
func TestRevision(t *testing.T) {
	t.Parallel()
	tr, r := calmTranslator(t, filesConfig())
	first := r.Feed
	o := tr.store.objects[refOf(kindPolicy, "calm", "all")]
	changed := edited(t, tr, kindPolicy, "calm", "all", func(v *v1alpha1.AccessPolicy) { v.Spec.Rules[0].Action = v1alpha1.ActionDeny })
	r = tr.Apply(source.Delta{Upserts: []source.Object{changed}}, noon())
	if r.Feed == first || r.Feed.Revision == first.Revision {
		t.Error("another rule, and the same revision")
	}
	r = tr.Apply(source.Delta{Upserts: []source.Object{o}}, noon())
	if r.Feed.Revision != first.Revision {
		t.Error("the same content, and another revision")
	}
}

// TestRevisionKinds: content of one kind is not that of another.
func TestRevisionKinds(t *testing.T) {
	t.Parallel()
	var a, b sinks
	a.policies.Put("x", &sealed[feedv1.Policy]{})
	b.credentials.Put("x", &sealed[feedv1.Credential]{})
	if a.nextFeed(nil, nil).Revision == b.nextFeed(nil, nil).Revision {
		t.Error("one revision for two contents")
	}
}

// TestFeedInJSON: the feed survives its way to the guard.
func TestFeedInJSON(t *testing.T) {
	t.Parallel()
	tr := newTranslator(t, filesConfig())
	r := tr.Apply(source.Delta{Upserts: append(calmObjects(t), pool(t)...)}, noon())
	text, err := json.Marshal(r.Feed)
	if err != nil {
		t.Fatal(err)
	}
	var got feedv1.Snapshot
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(&got)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(text), string(again)); diff != "" {
		t.Errorf("(-sent +read):\n%s", diff)
	}
}
