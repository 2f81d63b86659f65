package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// decoder turns the syntax tree into a plan and gathers what is wrong with it.
type decoder struct {
	file    string
	options Options
	errs    Errors
	more    int // errors beyond maxErrors
}

// errorf notes an error at a place.
func (d *decoder) errorf(at *token.Position, format string, args ...any) {
	if len(d.errs) >= maxErrors {
		d.more++
		return
	}
	d.errs = append(d.errs, &Error{d.file, at.Line, at.Column, fmt.Sprintf(format, args...)})
}

// start is where a file begins: for what is missing from it.
var start = &token.Position{Line: 1, Column: 1}

// root is the plan's outermost mapping; nil when there is none, for which an
// error is noted.
func (d *decoder) root(text []byte) ast.Node {
	if len(text) > MaxSize {
		d.errorf(start, "the plan is larger than %d bytes", MaxSize)
		return nil
	}
	if !utf8.Valid(text) {
		d.errorf(start, "the plan is not UTF-8 text")
		return nil
	}
	tokens := lexer.Tokenize(string(text))
	if !d.tame(tokens) {
		return nil
	}
	// The parser's own search for duplicate keys takes the square of their
	// number and ends at the first: object looks for them.
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		d.syntax(err)
		return nil
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		d.errorf(start, "the plan is empty")
		return nil
	}
	return file.Docs[0].Body
}

// syntax notes why the parser gave up.
func (d *decoder) syntax(err error) {
	var e *yaml.SyntaxError
	if errors.As(err, &e) && e.Token != nil {
		d.errorf(e.Token.Position, "%s", e.Message)
		return
	}
	d.errorf(start, "not YAML: %v", err)
}

// position is where a node begins.
func position(n ast.Node) *token.Position {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return m.Values[0].Key.GetToken().Position
	}
	if v, ok := n.(*ast.MappingValueNode); ok {
		return v.Key.GetToken().Position
	}
	return n.GetToken().Position
}

// kind names what a node is, for errors.
func kind(n ast.Node) string {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.SequenceNode:
		return "a list"
	case ast.MapNode:
		return "a mapping"
	case *ast.NullNode:
		return "nothing"
	}
	return "something else"
}

// isNull tells a key without a value, which counts as left out.
func isNull(n ast.Node) bool {
	_, ok := n.(*ast.NullNode)
	return n == nil || ok
}

// text is a node's text. A number is taken as it is written, so that the
// version 4.10 does not become 4.1.
func text(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// entry is one key of a mapping and its value.
type entry struct {
	key   string
	at    *token.Position
	value ast.Node
}

// entries are a mapping's, each key once; what names the mapping in errors.
// Of a key given twice only the first counts.
func (d *decoder) entries(n ast.Node, what string) []entry {
	m, ok := n.(ast.MapNode)
	if !ok {
		d.errorf(position(n), "%s: want a mapping of keys to values, got %s", what, kind(n))
		return nil
	}
	var all []entry
	first := map[string]*token.Position{}
	for it := m.MapRange(); it.Next(); {
		at := it.Key().GetToken().Position
		key, ok := text(it.Key())
		if !ok {
			key = it.Key().GetToken().Value
		}
		if before, ok := first[key]; ok {
			d.errorf(at, "key %q is given twice, first at %d:%d", clip(key), before.Line, before.Column)
			continue
		}
		first[key] = at
		all = append(all, entry{key, at, it.Value()})
	}
	return all
}

// object is a mapping with a fixed set of keys.
type object struct {
	d       *decoder
	what    string // such as: target
	at      *token.Position
	mapping bool // false: an error is noted, and it has no values
	values  map[string]ast.Node
}

// object reads a mapping and notes the keys that it may not have. It is never
// nil.
func (d *decoder) object(n ast.Node, what string, keys ...string) *object {
	o := &object{d: d, what: what, at: position(n), values: map[string]ast.Node{}}
	_, o.mapping = n.(ast.MapNode)
	for _, e := range d.entries(n, what) {
		if !slices.Contains(keys, e.key) {
			d.errorf(e.at, "unknown key %q%s (%s)", clip(e.key), d.suggest(e.key, keys), what)
			continue
		}
		o.values[e.key] = e.value
	}
	return o
}

// need notes that a key is left out. Of what is no mapping that has been said.
func (o *object) need(key string) {
	if o.mapping && o.get(key) == nil {
		o.d.errorf(o.at, "%s without %s", o.what, key)
	}
}

// get is the value of a key; nil when it is left out.
func (o *object) get(key string) ast.Node {
	if n := o.values[key]; !isNull(n) {
		return n
	}
	return nil
}

// clip shortens text of the file for an error's sake.
func clip(s string) string {
	if utf8.RuneCountInString(s) <= maxName {
		return s
	}
	return string([]rune(s)[:maxName]) + "…"
}

// list are the items under a key, at most most.
func (o *object) list(key string, most int) []ast.Node {
	n := o.get(key)
	if n == nil {
		return nil
	}
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		o.d.errorf(position(n), "%s: want a list, got %s", key, kind(n))
		return nil
	}
	if len(s.Values) > most {
		o.d.errorf(position(n), "%s: %d entries, at most %d", key, len(s.Values), most)
		return nil
	}
	return s.Values
}

// oneOf is text out of a closed list; empty when left out.
func (o *object) oneOf(key string, words ...string) string {
	return o.text(key, func(s string) error {
		if slices.Contains(words, s) {
			return nil
		}
		return fmt.Errorf("want one of %s", strings.Join(words, ", "))
	})
}
