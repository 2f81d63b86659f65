package run

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// MarshalJSON writes every field by its name, null where it is not known, and
// the steps.
func (r Run) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.Grow(4096)
	b.WriteByte('{')
	for i := range Fields {
		f := &Fields[i]
		v := f.Get(&r)
		if t, ok := v.(time.Time); ok {
			v = t.UTC()
		}
		text, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("run: field %s: %w", f.Name, err)
		}
		b.WriteByte('"')
		b.WriteString(f.Name)
		b.WriteString(`":`)
		b.Write(text)
		b.WriteByte(',')
	}
	steps := r.Steps
	if steps == nil {
		steps = []Step{}
	}
	text, err := json.Marshal(steps)
	if err != nil {
		return nil, fmt.Errorf("run: steps: %w", err)
	}
	b.WriteString(`"steps":`)
	b.Write(text)
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads what MarshalJSON writes. Null and absent are the same;
// a key that is no field is an error.
func (r *Run) UnmarshalJSON(text []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	*r = Run{}
	for name, value := range raw {
		if name == "steps" {
			if err := json.Unmarshal(value, &r.Steps); err != nil {
				return fmt.Errorf("run: steps: %w", err)
			}
			if len(r.Steps) == 0 {
				r.Steps = nil
			}
			continue
		}
		f := byName[name]
		if f == nil {
			return fmt.Errorf("run: %q is not a field of a run", name)
		}
		if err := json.Unmarshal(value, f.ptr(r)); err != nil {
			return fmt.Errorf("run: field %s: %w", name, err)
		}
		if t, ok := f.Get(r).(time.Time); ok && (t.UTC().Year() < 0 || t.UTC().Year() > 9999) {
			return fmt.Errorf("run: field %s: %s is beyond what RFC 3339 can write in UTC", name, value)
		}
	}
	return nil
}
