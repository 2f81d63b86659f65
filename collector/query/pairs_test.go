package query

import (
	"math"
	"testing"
)

// TestMedianRank compares with the exact binomial of the sign test: the
// interval between the ranks holds the median with 95 % or very nearly so, and
// with one rank further in it would not.
func TestMedianRank(t *testing.T) {
	beside := 0
	for n := int64(LeastPairs); n <= 1000; n++ {
		k := MedianRank(n)
		exact, held := exactRank(n, k)
		if k < 1 || k < exact-1 || k > exact+1 || held < 0.9475 {
			t.Errorf("%d pairs: rank %d holds the median with %.4f, want rank %d", n, k, held, exact)
		}
		if k != exact {
			beside++
		}
	}
	if beside > 13 {
		t.Errorf("%d of 995 ranks are beside the exact one, want 13", beside)
	}
	if _, held := exactRank(LeastPairs-1, 1); held >= 0.95 {
		t.Errorf("an interval could be told for %d pairs too: %.4f", LeastPairs-1, held)
	}
}

// exactRank is the highest rank whose interval holds the median of n values
// with 95 %, and with what probability that of rank k does.
func exactRank(n, k int64) (exact int64, held float64) {
	below := 0.0 // the probability that less than rank of n fair coins show heads
	logOf := func(n int64) float64 { l, _ := math.Lgamma(float64(n + 1)); return l }
	for rank := int64(1); 2*rank <= n; rank++ {
		below += math.Exp(logOf(n) - logOf(rank-1) - logOf(n-rank+1) - float64(n)*math.Ln2)
		if 1-2*below >= 0.95 {
			exact = rank
		}
		if rank == k {
			held = 1 - 2*below
		}
	}
	return exact, held
}

func TestMeanError(t *testing.T) {
	if got, want := MeanError(0.5, 100), 1.959963984540054*0.05; math.Abs(got-want) > 1e-15 {
		t.Errorf("%v, want %v", got, want)
	}
}
