// Package llm reads the requests that go to a provider of models, in the
// dialects of OpenAI, Anthropic, Gemini and Bedrock, and writes the answers
// that refuse them in the provider's own shape.
//
// Path, query and body enter; the operation, the model, whether the answer is
// streamed and how long it may get leave, or a surface.Unreadable. A body is
// read strictly (package strictjson), once, and in memory that does not grow
// with the conversation in it. Whatever could make another model answer than
// the one told is refused.
//
// Nothing here does I/O. A Request is used by one goroutine at a time, and
// again and again.
package llm
