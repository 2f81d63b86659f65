package run

import (
	"errors"
	"strings"
	"testing"
)

var errNone = errors.New("no such secret")

// places says where a secret is said to be.
func places(r Reference) (string, error) {
	if r.Name == "none" {
		return "", errNone
	}
	return "<" + r.Kind + " " + r.Name + ">", nil
}

func TestExpand(t *testing.T) {
	for in, want := range map[string]string{
		"":                                   "",
		"no $ {env:X} and $1":                "no $ {env:X} and $1",
		"Bearer ${env:FIRSTFRAME_SECRET_A1}": "Bearer <env FIRSTFRAME_SECRET_A1>",
		"${file:api-key}:${file:b.txt}!":     "<file api-key>:<file b.txt>!",
		"$${file:a}":                         "$<file a>",
		"${env:HOME}":                        "!",
		"${env:FIRSTFRAME_SECRET_}":          "!",
		"${file:../../etc/passwd}":           "!",
		"${file:.hidden}":                    "!",
		"${file:/etc/passwd}":                "!",
		"${file:a":                           "!",
		"${}":                                "!",
		"${":                                 "!",
		"top-5ecret ${what:A}":               "!",
	} {
		got, err := Expand(in, places)
		if want == "!" {
			if err == nil || strings.Contains(err.Error(), "5ecret") || got != "" {
				t.Errorf("%s: %q, %v; want an error without the text", in, got, err)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", in, got, err, want)
		}
	}
	if _, err := Expand("${file:none}", places); !errors.Is(err, errNone) {
		t.Errorf("%v, want %v", err, errNone)
	}
}

func FuzzExpand(f *testing.F) {
	for _, s := range []string{"", "${file:a}", "${env:FIRSTFRAME_SECRET_A}}", "${${file:a}", "$${", "${file:a\n}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := Expand(s, func(r Reference) (string, error) {
			if r.Kind == "env" && !strings.HasPrefix(r.Name, SecretPrefix) || strings.ContainsAny(r.Name, `/\`) || strings.HasPrefix(r.Name, ".") {
				t.Errorf("%q reaches for %+v", s, r)
			}
			return "", nil
		})
		if err == nil && strings.Contains(s, "${") && len(got) >= len(s) {
			t.Errorf("%q becomes %q", s, got)
		}
	})
}
