package llm

import (
	"net/http"

	"github.com/hopgate/hopgate/authz/strictjson"
	"github.com/hopgate/hopgate/authz/surface"
)

// AppendError appends the body that tells d in the shape of a provider's own
// errors, so that its SDKs show the text. The content type is
// application/json. A dialect that is not known gets OpenAI's, which most
// speak.
func AppendError(dst []byte, provider string, d surface.Denial) []byte {
	switch provider {
	case Anthropic:
		return appendAnthropic(dst, d)
	case Gemini:
		return appendGemini(dst, d)
	case Bedrock:
		return appendBedrock(dst, d)
	}
	return appendOpenAI(dst, d)
}

// ErrorTypeHeader is the header by which AWS SDKs know an error of Bedrock; its
// value is ErrorType's.
const ErrorTypeHeader = "x-amzn-errortype"

// ErrorType is the name of an error with that HTTP status in the provider's
// terms.
func ErrorType(provider string, status int) string {
	names := openAIType
	switch provider {
	case Anthropic:
		names = anthropicType
	case Gemini:
		names = geminiStatus
	case Bedrock:
		names = bedrockType
	}
	return names(status)
}

func appendOpenAI(dst []byte, d surface.Denial) []byte {
	dst = append(dst, `{"error":{"message":`...)
	dst = strictjson.AppendString(dst, d.Text)
	dst = append(dst, `,"type":"`+openAIType(d.Status)+`","param":null,`...)
	dst = d.AppendMembers(dst)
	return append(dst, "}}"...)
}

func appendAnthropic(dst []byte, d surface.Denial) []byte {
	dst = append(dst, `{"type":"error","error":{"type":"`+anthropicType(d.Status)+`","message":`...)
	dst = strictjson.AppendString(dst, d.Text)
	dst = append(dst, ',')
	dst = d.AppendMembers(dst)
	dst = append(dst, `},"request_id":`...)
	dst = strictjson.AppendString(dst, d.RequestID)
	return append(dst, '}')
}

// appendGemini writes a google.rpc.Status with an ErrorInfo.
func appendGemini(dst []byte, d surface.Denial) []byte {
	dst = append(dst, `{"error":{"code":`...)
	dst = d.AppendStatus(dst)
	dst = append(dst, `,"message":`...)
	dst = strictjson.AppendString(dst, d.Text)
	dst = append(dst, `,"status":"`+geminiStatus(d.Status)+
		`","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","domain":"hopgate.dev","reason":`...)
	dst = strictjson.AppendString(dst, d.Code)
	dst = append(dst, `,"metadata":{`...)
	dst = d.AppendMembers(dst)
	return append(dst, "}}]}}"...)
}

func appendBedrock(dst []byte, d surface.Denial) []byte {
	dst = append(dst, `{"message":`...)
	dst = strictjson.AppendString(dst, d.Text)
	dst = append(dst, `,"__type":"`+bedrockType(d.Status)+`",`...)
	dst = d.AppendMembers(dst)
	return append(dst, '}')
}

func openAIType(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusForbidden:
		return "permission_error"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	}
	if status >= 500 {
		return "server_error"
	}
	return "invalid_request_error"
}

func anthropicType(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusForbidden:
		return "permission_error"
	case http.StatusNotFound:
		return "not_found_error"
	case http.StatusRequestEntityTooLarge:
		return "request_too_large"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	}
	if status >= 500 {
		return "api_error"
	}
	return "invalid_request_error"
}

func geminiStatus(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "UNAUTHENTICATED"
	case http.StatusForbidden:
		return "PERMISSION_DENIED"
	case http.StatusNotFound:
		return "NOT_FOUND"
	case http.StatusTooManyRequests:
		return "RESOURCE_EXHAUSTED"
	}
	if status >= 500 {
		return "UNAVAILABLE"
	}
	return "INVALID_ARGUMENT"
}

func bedrockType(status int) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "AccessDeniedException"
	case http.StatusNotFound:
		return "ResourceNotFoundException"
	case http.StatusTooManyRequests:
		return "ThrottlingException"
	}
	if status >= 500 {
		return "ServiceUnavailableException"
	}
	return "ValidationException"
}
