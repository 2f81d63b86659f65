package run

import (
	"fmt"
	"regexp"
	"strings"
)

// PlaybackAPI is the request to a service's own interface that an app makes
// before it asks for the manifest, and what it takes from the JSON answer. URL,
// Headers and Body may hold references to secrets (see [Expand]). A player in a
// browser pays a preflight before it, where the app's header Origin names another
// origin and a method or header is not safelisted (Fetch Standard).
type PlaybackAPI struct {
	URL     string
	Method  string            // empty: GET, with a body POST
	Headers map[string]string // of this request alone, beside the app's
	Body    string

	// Where things are in the answer, as JSONPath (RFC 9535): a text or a whole
	// number, of several matches the first.
	Manifest      string            // the manifest's URL; empty: it is the target's
	ManifestQuery map[string]string // parameters to add to the manifest's URL, by name
	StreamHeaders map[string]string // headers of all requests that follow, by name
}

// SecretPrefix is what names of environment variables that a plan may refer to
// begin with: a plan is not to reach for whatever else a program knows.
const SecretPrefix = "FIRSTFRAME_SECRET_"

// Reference is a secret's place: Kind is env or file, Name the variable, or the
// file in the directory of secrets.
type Reference struct{ Kind, Name string }

var (
	reference  = regexp.MustCompile(`\$\{([^}]*)\}?`)
	secretEnv  = regexp.MustCompile(`^env:(` + SecretPrefix + `[A-Z0-9_]{1,64})$`)
	secretFile = regexp.MustCompile(`^file:([A-Za-z0-9_-][A-Za-z0-9._-]{0,127})$`)
)

// Expand puts what value gives in place of each reference in text:
// ${env:FIRSTFRAME_SECRET_NAME} or ${file:NAME}. The error is value's, or says
// what is not a reference; it does not hold the text.
func Expand(text string, value func(Reference) (string, error)) (string, error) {
	var out strings.Builder
	done := 0
	for _, m := range reference.FindAllStringSubmatchIndex(text, -1) {
		var ref Reference
		inner := text[m[2]:m[3]]
		if env := secretEnv.FindStringSubmatch(inner); env != nil {
			ref = Reference{"env", env[1]}
		} else if file := secretFile.FindStringSubmatch(inner); file != nil {
			ref = Reference{"file", file[1]}
		}
		if ref.Name == "" || text[m[1]-1] != '}' {
			return "", fmt.Errorf("what begins with ${ is a reference to a secret: want ${env:%sNAME} or ${file:NAME}", SecretPrefix)
		}
		v, err := value(ref)
		if err != nil {
			return "", err
		}
		out.WriteString(text[done:m[0]])
		out.WriteString(v)
		done = m[1]
	}
	out.WriteString(text[done:])
	return out.String(), nil
}
