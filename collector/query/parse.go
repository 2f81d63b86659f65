package query

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"slices"
)

// Parse reads a request from JSON and checks all of it but what depends on the
// clock, for which see [Request.Resolve]. from is now-24h and to now when they
// are not named. Any error is an [*Error].
func Parse(text []byte) (*Request, error) {
	if len(text) > MaxRequest {
		return nil, Errorf(CodeBounds, "", "the request has %d bytes, at most %d are read", len(text), MaxRequest)
	}
	r := &Request{From: Ago(DefaultRange)}
	if err := object("", "request", text, r.keys()); err != nil {
		return nil, err
	}
	if _, err := r.names(); err != nil {
		return nil, err
	}
	return r, nil
}

// keys maps each key of a request to what reads its value.
func (r *Request) keys() map[string]reader {
	return map[string]reader{
		"from":      unlessEmpty(&r.From),
		"to":        unlessEmpty(&r.To),
		"step":      unlessEmpty(&r.Step),
		"compare":   unlessEmpty(&r.Compare),
		"pair_by":   into(&r.PairBy),
		"measures":  into(&r.Measures),
		"group_by":  into(&r.GroupBy),
		"limit":     into(&r.Limit),
		"exemplars": into(&r.Exemplars),
		"where": func(field string, text json.RawMessage) error {
			var conds []json.RawMessage
			if err := value(field, text, &conds); err != nil {
				return err
			}
			if len(conds) > MaxWhere {
				return Errorf(CodeBounds, field, "%d conditions, at most %d are allowed", len(conds), MaxWhere)
			}
			r.Where = nil
			for i, text := range conds {
				var c Cond
				keys := map[string]reader{"dim": into(&c.Dim), "op": into(&c.Op), "values": into(&c.Values)}
				if err := object(fmt.Sprintf("%s[%d]", field, i), "condition", text, keys); err != nil {
					return err
				}
				r.Where = append(r.Where, c)
			}
			return nil
		},
		"order_by": func(field string, text json.RawMessage) error {
			if bytes.Equal(text, []byte("null")) {
				return nil
			}
			r.OrderBy = new(Order)
			keys := map[string]reader{"measure": into(&r.OrderBy.Measure), "desc": into(&r.OrderBy.Desc)}
			return object(field, "order", text, keys)
		},
	}
}

// reader reads the value of one key; field says where it stands.
type reader func(field string, text json.RawMessage) error

// unlessEmpty reads a time or a duration; an empty string leaves it as it is.
func unlessEmpty(p encoding.TextUnmarshaler) reader {
	return func(field string, text json.RawMessage) error {
		var s string
		if err := value(field, text, &s); err != nil || s == "" {
			return err
		}
		if err := p.UnmarshalText([]byte(s)); err != nil {
			return Errorf(CodeTime, field, "%v", err)
		}
		return nil
	}
}

func into[T any](p *T) reader {
	return func(field string, text json.RawMessage) error { return value(field, text, p) }
}

func value(field string, text json.RawMessage, p any) error {
	if err := json.Unmarshal(text, p); err != nil {
		return Errorf(CodeJSON, field, "%.60s: %v", text, err)
	}
	return nil
}

// object reads a JSON object whose keys are those of keys and no others, in
// alphabetical order, so that of several mistakes always the same is named.
func object(field, what string, text json.RawMessage, keys map[string]reader) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil || raw == nil {
		if err == nil {
			err = fmt.Errorf("want an object, got null")
		}
		return Errorf(CodeJSON, field, "%v", err)
	}
	prefix := field
	if prefix != "" {
		prefix += "."
	}
	for _, key := range sorted(raw) {
		read := keys[key]
		switch {
		case read != nil:
			if err := read(prefix+key, raw[key]); err != nil {
				return err
			}
		default:
			return unknown(CodeKey, fmt.Sprintf("%s%.40s", prefix, key), "key of a "+what, key, sorted(keys))
		}
	}
	return nil
}

func sorted[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
