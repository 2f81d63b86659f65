package plan

import "github.com/goccy/go-yaml/token"

// The bounds on the shape of a plan, which hold before it is parsed. The parser
// recurses into brackets and list items, and takes the square of the number of
// keys of a mapping. Depth by indentation is bounded by the size of the file.
const (
	maxDepth = 16   // brackets in brackets, and list items on one line
	maxKeys  = 1000 // of one mapping
)

// refused are the parts of YAML that plans are not written in.
var refused = map[token.Type]string{
	token.AnchorType:     "anchors (&) are not read; text that begins so stands in quotes",
	token.AliasType:      "aliases (*) are not read; text that begins so stands in quotes",
	token.TagType:        "tags (!) are not read; text that begins so stands in quotes",
	token.MergeKeyType:   "merge keys (<<) are not read",
	token.DirectiveType:  "directives (%) are not read",
	token.MappingKeyType: "keys that are not plain text (?) are not read",
}

// tame tells whether the tokens are of the part of YAML that plans are written
// in, and within the bounds: what could grow is refused before it is parsed.
func (d *decoder) tame(tokens token.Tokens) bool {
	brackets, items, line := 0, 0, 0
	began := false // past the comments at the top
	var open indents
	for i, t := range tokens {
		if t.Position.Line != line {
			items, line = 0, t.Position.Line
		}
		if why, ok := refused[t.Type]; ok {
			d.errorf(t.Position, "%s", why)
		}
		if began && t.Type == token.DocumentHeaderType || t.Type == token.DocumentEndType {
			d.errorf(t.Position, "%s: a plan is one document", t.Value)
		}
		began = began || t.Type != token.CommentType
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			brackets++
		case token.MappingEndType, token.SequenceEndType:
			brackets--
		case token.SequenceEntryType:
			items++
			open.close(t.Position.Column)
		case token.MappingValueType:
			if brackets == 0 && i > 0 && open.key(tokens[i-1].Position.Column) > maxKeys {
				d.errorf(tokens[i-1].Position, "more than %d keys in one mapping", maxKeys)
				return false
			}
		}
		if brackets > maxDepth || items > maxDepth {
			d.errorf(t.Position, "nested deeper than %d", maxDepth)
			return false
		}
	}
	return len(d.errs) == 0
}

// indents are the mappings that are open at a place, by the column of their
// keys, the outermost first.
type indents []struct{ column, keys int }

// close ends the mappings that are indented deeper than a column.
func (x *indents) close(column int) {
	n := len(*x)
	for n > 0 && (*x)[n-1].column > column {
		n--
	}
	*x = (*x)[:n]
}

// key adds a key at a column and answers how many its mapping has.
func (x *indents) key(column int) int {
	x.close(column)
	if n := len(*x); n == 0 || (*x)[n-1].column < column {
		*x = append(*x, struct{ column, keys int }{column: column})
	}
	last := &(*x)[len(*x)-1]
	last.keys++
	return last.keys
}
