// Package query is the one way to ask about runs: what a question and its
// answer look like, which measures and dimensions there are, and what is
// refused.
//
// [Parse] reads a [Request] from JSON, strictly: an unknown key, measure,
// dimension or operator is an [*Error] that names the nearest valid names.
// [Request.Resolve] checks it against the clock and yields what an engine
// needs, a [Resolved]; the engine hands its rows to [Resolved.Fill] and gives
// back an [Answer], which is written as JSON or by [WriteCSV].
//
// What the numbers mean is decided here, once, for all engines:
//
//   - A run counts where from <= started_at < to.
//   - Buckets are aligned to the Unix epoch in UTC; the first and the last are
//     cut by from and to. A bucket without runs is there: runs is 0, all other
//     measures are null, coverage aside.
//   - A request that says nothing about source in where counts the runs of the
//     fleet alone, as the service level indicator demands.
//   - Service levels are measured against [Objective] over [Period]; a budget is
//     spent as [BudgetLeft] says, and what share of the runs that should be
//     there is there as [Covered] says.
//   - What is compared with an earlier period has a second column for each
//     measure, named with [BeforeSuffix], of the runs from from-offset until
//     to-offset in buckets moved by the offset. A row is there when either
//     period has runs.
//   - Exemplars are those of a bucket's runs that a person should look at first:
//     the failed ones, newest first, then those with the longest ttff_ms.
//   - Runs are paired within what one agent played in one round, see [Paired]
//     and [PairKey], among the runs of the range for which where holds: a
//     network, an hour or an episode that is bad for all makes no difference
//     between them. Each run is compared with the mean of the runs of the other
//     values of pair_by in its group. A run without a round, an agent or a value
//     of pair_by has no partner and is none. The difference of ttff_ms is told by
//     its median, since one stalled run among hundreds would move a mean; that of
//     bad by its mean, since the median of rare failures is 0. Intervals take
//     pairs as independent, which those of one round are not wholly.
//   - Percentiles interpolate linearly between the two nearest runs, and like
//     averages leave out the runs in which the field is null.
//   - ne, not_in and not_match are the exact opposites of eq, in and match, so
//     they hold for null too. A pattern is RE2 syntax, matches the whole value,
//     as in Prometheus, and its dot matches every character.
//
// The package imports nothing but the table of fields and the search for near
// names.
package query

import "time"

// The bounds of a request. What lies beyond is refused.
const (
	MaxRequest  = 1 << 20              // bytes of JSON
	MaxRange    = 400 * 24 * time.Hour // from from to to
	MaxBuckets  = 11_000               // range over step
	MinStep     = time.Second          //
	MaxLimit    = 10_000               // rows, or series when there is a step
	MaxMeasures = 50                   //
	MaxGroupBy  = 8                    //
	MaxWhere    = 20                   // conditions
	MaxValues   = 1000                 // of one condition
	MaxValueLen = 1000                 // bytes of one value or pattern
	MaxCells    = 2_000_000            // rows times columns of an answer with a step: series over the bound are left out, but the first
	MaxExemplar = 5                    // run ids of one row
)

// The defaults of a request.
const (
	DefaultLimit = 1000
	DefaultRange = 24 * time.Hour // before to, when a JSON request names no from
)

// Request is a question about runs.
type Request struct {
	From Time     `json:"from"` // included
	To   Time     `json:"to"`   // not included
	Step Duration `json:"step,omitzero"`

	Measures []string `json:"measures,omitempty"` // names of [Measures]; runs is always answered
	GroupBy  []string `json:"group_by,omitempty"` // names of [Dimensions]
	Where    []Cond   `json:"where,omitempty"`    // all must hold

	// OrderBy orders rows, or with a step series, by their measures over the
	// whole range, or by a dimension, which goes before a measure of its name.
	// Nil means most runs first, as does time, which orders the buckets of each
	// series. Ties are broken by the dimensions, ascending; null comes last
	// either way.
	OrderBy *Order `json:"order_by,omitempty"`

	// Limit is the highest number of rows, or with a step of series; zero
	// means DefaultLimit.
	Limit int `json:"limit,omitempty"`

	// Compare, unless zero, asks for every measure of the same range so much
	// earlier too. In JSON it is a negative duration: -7d.
	Compare Offset `json:"compare,omitzero"`

	// PairBy is a dimension of [Paired] that is in GroupBy too, or empty. With
	// it the measures that are Paired can be asked for: each run is compared
	// with those of the other values of the dimension in its pair group.
	PairBy string `json:"pair_by,omitempty"`

	// Exemplars is how many run ids each row lists at most.
	Exemplars int `json:"exemplars,omitempty"`
}

// Cond is a condition on one dimension.
type Cond struct {
	Dim    string   `json:"dim"`
	Op     Op       `json:"op"`
	Values []string `json:"values,omitempty"` // booleans are true and false, numbers decimal
}

// Op is how a condition compares.
type Op string

// The operators. On values: eq, ne, match and not_match take one, in and
// not_in one or more, exists none or one: true (the default) or false.
const (
	Eq       Op = "eq"
	Ne       Op = "ne"
	In       Op = "in"
	NotIn    Op = "not_in"
	Match    Op = "match"
	NotMatch Op = "not_match"
	Exists   Op = "exists"
)

// Ops lists the operators in the order of the documentation.
var Ops = []Op{Eq, Ne, In, NotIn, Match, NotMatch, Exists}

// Order names a column of the answer to order by.
type Order struct {
	Measure string `json:"measure"` // any column: a measure, a dimension or, with a step, time
	Desc    bool   `json:"desc,omitempty"`
}
