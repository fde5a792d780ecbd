package llm

import (
	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/surface"
)

// maxModel is the longest name that a rule can list, in bytes.
const maxModel = 256

// given is a member that is there and not null, which providers take for not
// there.
func given(object strictjson.Value, name string) (strictjson.Value, bool) {
	v, ok := object.Member(name)
	return v, ok && v.Kind() != strictjson.Null
}

// onlyModel refuses the members by which a router is given further models to
// choose from, or a client library that stands between another body.
func onlyModel(root strictjson.Value) error {
	for _, name := range []string{"models", "fallbacks", "preset", "extra_body"} {
		if v, ok := given(root, name); ok {
			return surface.RefuseAt(surface.ReasonOtherModels, v)
		}
	}
	return nil
}

// readModel takes the model from the body. One that the path chose must not be
// said otherwise; without either, a provider that has a default takes that.
func (r *Request) readModel(root strictjson.Value) error {
	if err := onlyModel(root); err != nil {
		return err
	}
	v, ok := root.Member("model")
	if !ok {
		if r.Model == "" && r.Operation != Image && r.Operation != Moderation {
			return surface.Refuse(surface.ReasonModel)
		}
		return nil
	}
	s, ok := v.Text()
	if !ok || len(s) > maxModel || !surface.CleanName(s) || r.Model != "" && r.Model != s {
		return surface.RefuseAt(surface.ReasonModel, v)
	}
	r.Model = s
	return nil
}

func (r *Request) readStream(root strictjson.Value) error {
	v, ok := given(root, "stream")
	if !ok {
		return nil
	}
	if r.Stream, ok = v.Bool(); !ok {
		return surface.RefuseAt(surface.ReasonStream, v)
	}
	return nil
}

func (r *Request) readOpenAI(root strictjson.Value) error {
	if err := surface.ExactNames(root, "model", "models", "fallbacks", "preset", "extra_body", "stream", "max_tokens",
		"max_completion_tokens", "max_output_tokens", "n", "best_of", "prompt"); err != nil {
		return err
	}
	if err := r.readModel(root); err != nil {
		return err
	}
	if err := r.readStream(root); err != nil {
		return err
	}
	var t tokens
	switch r.Operation {
	case Chat:
		t.limit(root, "max_completion_tokens", "max_tokens")
		t.times(root, "n")
	case Completion:
		t.limit(root, "max_tokens")
		t.times(root, "n", "best_of")
		t.prompts(root)
	case Response:
		t.limit(root, "max_output_tokens")
	}
	return r.take(t)
}

func (r *Request) readAnthropic(root strictjson.Value) error {
	if err := surface.ExactNames(root, "model", "models", "fallbacks", "preset", "extra_body", "stream", "max_tokens", "max_tokens_to_sample"); err != nil {
		return err
	}
	if err := r.readModel(root); err != nil {
		return err
	}
	if err := r.readStream(root); err != nil {
		return err
	}
	var t tokens
	switch r.Operation {
	case Chat:
		t.limit(root, "max_tokens")
	case Completion:
		t.limit(root, "max_tokens_to_sample")
	}
	return r.take(t)
}

// readGemini knows both spellings that ProtoJSON allows of each name. A body
// repeats the path's model or does not speak of one.
func (r *Request) readGemini(root strictjson.Value) error {
	if err := surface.ExactNames(root, "model", "models", "fallbacks", "extra_body", "generationConfig", "generation_config"); err != nil {
		return err
	}
	if err := onlyModel(root); err != nil {
		return err
	}
	if v, ok := root.Member("model"); ok && !v.Is(r.Model) && !v.Is("models/"+r.Model) {
		return surface.RefuseAt(surface.ReasonModel, v)
	}
	config, err := either(root, "generationConfig", "generation_config")
	if err != nil || r.Operation != Chat {
		return err
	}
	if err := surface.ExactNames(config, "maxOutputTokens", "max_output_tokens", "candidateCount", "candidate_count"); err != nil {
		return err
	}
	var t tokens
	t.limit(config, "maxOutputTokens", "max_output_tokens")
	t.times(config, "candidateCount", "candidate_count")
	return r.take(t)
}

// either is the object by the one name or the other, absent where there is
// none; it must not be there by both.
func either(root strictjson.Value, a, b string) (strictjson.Value, error) {
	v, ok := given(root, a)
	if w, both := given(root, b); both {
		if ok {
			return v, surface.RefuseAt(surface.ReasonOutputTokens, w)
		}
		return object(root, b)
	}
	return object(root, a)
}

// object is a member that must be an object where it is given.
func object(root strictjson.Value, name string) (strictjson.Value, error) {
	v, ok := given(root, name)
	switch {
	case !ok:
		return strictjson.Value{}, nil
	case v.Kind() != strictjson.Object:
		return v, surface.RefuseAt(surface.ReasonOutputTokens, v)
	}
	return v, nil
}

// readBedrock reads a body of the Converse API, which is the same for all
// models, or of InvokeModel, which is the model's own.
func (r *Request) readBedrock(root strictjson.Value, invoke bool) error {
	if err := surface.ExactNames(root, "model", "modelId", "models", "inferenceConfig", "additionalModelRequestFields",
		"max_tokens", "max_gen_len", "messages"); err != nil {
		return err
	}
	if err := onlyModel(root); err != nil {
		return err
	}
	for _, name := range []string{"model", "modelId"} {
		if v, ok := given(root, name); ok && !v.Is(r.Model) {
			return surface.RefuseAt(surface.ReasonModel, v)
		}
	}
	if invoke {
		return r.readInvoke(root)
	}
	return r.readConverse(root)
}

// readInvoke tells a conversation by its messages: without any, a body may ask
// for a text, a picture or a vector alike.
func (r *Request) readInvoke(root strictjson.Value) error {
	if v, ok := root.Member("messages"); ok && v.Kind() == strictjson.Array {
		r.Operation = Chat
	}
	config, err := object(root, "inferenceConfig")
	if err != nil {
		return err
	}
	if err := surface.ExactNames(config, "maxTokens", "max_new_tokens"); err != nil {
		return err
	}
	var t tokens
	switch family(r.Model) {
	case "anthropic", "mistral", "deepseek", "cohere":
		t.limit(root, "max_tokens")
	case "meta":
		t.limit(root, "max_gen_len")
	case "amazon":
		t.limit(config, "maxTokens", "max_new_tokens")
	}
	return r.take(t)
}

// readConverse also looks where a model's own parameters may say the limit
// once more: it must be the same. Said only there, it may be no limit at all.
func (r *Request) readConverse(root strictjson.Value) error {
	config, err := object(root, "inferenceConfig")
	if err != nil {
		return err
	}
	extra, err := object(root, "additionalModelRequestFields")
	if err != nil {
		return err
	}
	if err := surface.ExactNames(config, "maxTokens"); err != nil {
		return err
	}
	var t tokens
	t.limit(config, "maxTokens")
	for name, v := range extra.Members() {
		if t.most > 0 && limitsOutput(name) {
			t.add(v)
		}
	}
	return r.take(t)
}
