package trace

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// maxJSONDepth bounds the nesting of OTLP JSON; the contract's own needs 12.
const maxJSONDepth = 64

// JSONToProto turns OTLP JSON (opentelemetry.io/docs/specs/otlp, "JSON
// Protobuf Encoding": hex ids, integers as strings or numbers) into the
// protobuf that Decode reads. It fails with ErrMalformed, and with ErrLimit
// when body is nested deeper than 64 levels. The caller bounds its size.
func JSONToProto(body []byte) ([]byte, error) {
	if depth := jsonDepth(body); depth > maxJSONDepth {
		return nil, fmt.Errorf("trace: JSON nested %d levels deep, at most %d: %w", depth, maxJSONDepth, ErrLimit)
	}
	req := ptraceotlp.NewExportRequest()
	if err := req.UnmarshalJSON(body); err != nil {
		return nil, malformed("%v", err)
	}
	out, err := req.MarshalProto()
	if err != nil {
		return nil, malformed("%v", err)
	}
	return out, nil
}

// jsonDepth is the deepest nesting of arrays and objects outside of strings.
func jsonDepth(body []byte) int {
	depth, deepest := 0, 0
	inString := false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}
