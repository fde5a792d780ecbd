package world

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// ModelKey is what the provider wants in Authorization. The agent does not
// have it.
const ModelKey = "Bearer sk-example-only-not-a-secret"

// Models is a model provider in OpenAI's dialect. It tells what it was sent
// that it should not have been.
func Models() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", chat)
	return mux
}

func chat(w http.ResponseWriter, r *http.Request) {
	for _, h := range []string{"Txn-Token", "Proxy-Authorization"} {
		if r.Header.Get(h) != "" {
			http.Error(w, "leaked: "+h, http.StatusTeapot)
			return
		}
	}
	if r.Header.Get("Authorization") != ModelKey {
		http.Error(w, `{"error":{"message":"no key"}}`, http.StatusUnauthorized)
		return
	}
	var in struct {
		Model  string `json:"model"`
		Stream bool   `json:"stream"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if in.Stream {
		stream(w, r, in.Model)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"object":"chat.completion","model":%q,"choices":[{"message":{"role":"assistant","content":"42"}}],"usage":{"prompt_tokens":11,"completion_tokens":1}}`, in.Model)
}

func stream(w http.ResponseWriter, r *http.Request, model string) {
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w)
	t := time.NewTicker(20 * time.Millisecond)
	defer t.Stop()
	for _, word := range []string{"forty", "-", "two"} {
		fmt.Fprintf(w, "data: {\"object\":\"chat.completion.chunk\",\"model\":%q,\"choices\":[{\"delta\":{\"content\":%q}}]}\n\n", model, word)
		if flush.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-t.C:
		}
	}
	fmt.Fprint(w, "data: [DONE]\n\n")
}
