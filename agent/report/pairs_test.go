package report

import (
	"fmt"
	"math/big"
	"testing"

	"github.com/firstframe/firstframe/probes/run"
	"github.com/google/go-cmp/cmp"
)

// rounds are n rounds of two CDNs, cold and warm: every round has a delay of its
// own, which both CDNs suffer; b takes 30 to 50 ms longer than a; a warm run
// takes 80 to 84 ms less than a cold one. In round 3 the cold run through b
// fails.
func rounds(n int) []run.Run {
	var runs []run.Run
	for i := range n {
		network := float64(i*i%17) * 40
		for _, cdn := range []string{"a", "b"} {
			for _, connection := range []string{"cold", "warm"} {
				r := played()
				if i == 3 && cdn == "b" && connection == "cold" {
					r = failed()
				} else {
					ttff := 500 + network
					if cdn == "b" {
						ttff += 30 + float64(i*8%21)
					}
					if connection == "warm" {
						ttff -= 80 + float64(i%5)
					}
					r.TTFFMs, r.Good = &ttff, ttff < 2000
				}
				r.CDN, r.Connection, r.Round = cdn, connection, fmt.Sprint("round ", i)
				runs = append(runs, r)
			}
		}
	}
	return runs
}

// The rank is the sign test's: the probability that fewer than k of n values lie
// below the median is 2.5 % at most, and with k+1 it would be more.
func TestMedianRank(t *testing.T) {
	for n, want := range map[int]int{6: 1, 8: 1, 9: 2, 12: 3, 15: 4, 20: 6, 25: 8, 30: 10, 50: 18, 100: 40} {
		if got := medianRank(n); got != want {
			t.Errorf("medianRank(%d) = %d, want %d as tables of the sign test have it", n, got, want)
		}
	}
	for _, n := range []int64{6, 7, 11, 99, 1000} {
		k := int64(medianRank(int(n)))
		// Σ C(n,i), i < k, times 40 is 2ⁿ at most; one term more is above it.
		sum, all := new(big.Int), new(big.Int).Lsh(big.NewInt(1), uint(n))
		for i := range k {
			sum.Add(sum, new(big.Int).Binomial(n, i))
		}
		below := new(big.Int).Mul(sum, big.NewInt(40))
		above := new(big.Int).Mul(sum.Add(sum, new(big.Int).Binomial(n, k)), big.NewInt(40))
		if below.Cmp(all) > 0 || above.Cmp(all) <= 0 {
			t.Errorf("medianRank(%d) = %d is not the greatest that holds 95 %%", n, k)
		}
	}
	if k := medianRank(100_000); k < 49_000 || k > 50_000 {
		t.Errorf("medianRank(100000) = %d", k)
	}
}

// Pairing takes out what a round's network did to both: the runs spread over
// 640 ms, the differences over 20.
func TestDifferences(t *testing.T) {
	type row struct{ Label, Pairs, Median, Interval, Verdict string }
	var got []row
	for _, d := range differences(group(rounds(20))) {
		pairs, median, interval := d.texts()
		got = append(got, row{d.label, pairs, median, interval, d.verdict()})
	}
	want := []row{
		{"warm − cold · a", "20/20", "−82 ms", "−83 ms … −81 ms", "faster"},
		{"b − a · cold", "19/20", "+40 ms", "+35 ms … +46 ms", "slower"},
		{"b − a · warm", "20/20", "+40 ms", "+35 ms … +45 ms", "slower"},
		{"warm − cold · b", "19/20", "−82 ms", "−83 ms … −81 ms", "faster"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestVerdict(t *testing.T) {
	for name, tt := range map[string]struct {
		values []float64
		want   string
	}{
		"too few":            {[]float64{1, 2, 3, 4, 5}, "needs 6 pairs"},
		"all above 0":        {[]float64{1, 2, 3, 4, 5, 6}, "slower"},
		"all below 0":        {[]float64{-6, -5, -4, -3, -2, -1}, "faster"},
		"one on either side": {[]float64{-1, 2, 3, 4, 5, 6}, "not told apart"},
		"none":               {nil, "needs 6 pairs"},
	} {
		d := difference{values: tt.values, rounds: 9}
		if got := d.verdict(); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// Runs without a round, targets of their own, and apps that differ together with
// the CDN are no pairs.
func TestWhatIsNoPair(t *testing.T) {
	alone, a, b := played(), played(), played()
	a.CDN, a.Round, a.Target = "a", "r", "https://live.example/one/of/them/master.m3u8"
	b.CDN, b.Round, b.Target = "b", "r", "https://live.example/two/of/them/master.m3u8"
	if d := differences(group([]run.Run{a, b})); len(d) != 0 {
		t.Errorf("two targets are compared: %s", d[0].label)
	}
	b.Target, b.App = a.Target, "tv"
	if d := differences(group([]run.Run{a, b})); len(d) != 0 {
		t.Errorf("two CDNs as two apps are compared: %s", d[0].label)
	}
	b.App, b.AppVersion = a.App, "3"
	b.CDN = a.CDN
	if d := differences(group([]run.Run{a, b})); len(d) != 1 || d[0].label != "web@3 − web@2.0.0 · a" || len(d[0].values) != 1 {
		t.Errorf("two versions of an app: %+v", d)
	}
	alone.CDN, a.Round = "z", ""
	if d := differences(group([]run.Run{a, alone, alone})); len(d) != 0 && d[0].rounds != 0 {
		t.Errorf("runs without a round are paired: %+v", d)
	}
}
