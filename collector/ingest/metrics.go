package ingest

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/firstframe/firstframe/collector/store"
	"github.com/firstframe/firstframe/probes/run"
)

// maxSeries bounds the combinations of country, CDN, app version and target
// that are counted apart; further ones are counted with "other" in all four.
const maxSeries = 2000

// metrics are what /metrics shows of this package. Names without a unit count
// things.
type metrics struct {
	requests    *prometheus.CounterVec
	runs        prometheus.Counter
	spans       prometheus.Counter
	rejected    prometheus.Counter
	orphans     prometheus.Counter
	mismatches  prometheus.Counter
	duplicates  prometheus.Counter
	storeErrors prometheus.Counter
	lost        prometheus.Counter
	storeTime   prometheus.Histogram
	storedRuns  *prometheus.CounterVec
	goodRuns    *prometheus.CounterVec
	series      map[[4]string]bool
}

func newMetrics(reg prometheus.Registerer, in *Ingester) *metrics {
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "firstframe", Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "firstframe", Name: name, Help: help}, labels)
		reg.MustRegister(c)
		return c
	}
	gauge := func(name, help string, value func() float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "firstframe", Name: name, Help: help}, value))
	}
	slice := []string{"country", "cdn", "app_version", "target"}
	m := &metrics{
		requests:    vec("ingest_requests_total", "Requests answered, by HTTP status or gRPC code.", "protocol", "code"),
		runs:        counter("ingest_runs_total", "Runs acknowledged, those sent twice included."),
		spans:       counter("ingest_spans_total", "Spans of requests that were taken."),
		rejected:    counter("ingest_rejected_spans_total", "Spans refused in a partial success."),
		orphans:     counter("ingest_orphan_traces_total", "Traces of requests that did not hold their root."),
		mismatches:  counter("ingest_country_mismatches_total", "Runs whose agent's country differs between its registration, GeoIP and its claim."),
		duplicates:  counter("ingest_duplicate_runs_total", "Runs that the store had already."),
		storeErrors: counter("ingest_store_errors_total", "Batches that the store refused; they are tried again."),
		lost:        counter("ingest_lost_bodies_total", "Acknowledged request bodies that the disk has spoilt."),
		storeTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "firstframe", Name: "ingest_store_seconds", Help: "Time that the store took for a batch.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}),
		storedRuns: vec("runs_total", "Runs of the fleet stored since the start.", slice...),
		goodRuns:   vec("good_runs_total", "Of these, the good ones.", slice...),
		series:     map[[4]string]bool{},
	}
	reg.MustRegister(m.storeTime)
	gauge("ingest_pending_requests", "Requests acknowledged and not yet stored.", func() float64 { return float64(len(in.queue)) })
	gauge("ingest_lag_seconds", "How long the oldest request that is acknowledged and not yet stored has waited.",
		func() float64 { return time.Since(in.StoredUntil()).Seconds() })
	gauge("ingest_free_bytes", "Bytes of requests that may still be taken before senders are refused.",
		func() float64 { return float64(in.budget.free.Load()) })
	gauge("log_bytes", "Size of the log of request bodies.", func() float64 { return float64(in.cfg.Log.Stats().Bytes) })
	gauge("log_segments", "Segments of the log.", func() float64 { return float64(in.cfg.Log.Stats().Segments) })
	return m
}

func (m *metrics) request(protocol string, code int) {
	m.requests.WithLabelValues(protocol, strconv.Itoa(code)).Inc()
}

func (m *metrics) taken(d *decoded) {
	m.runs.Add(float64(len(d.rows)))
	m.spans.Add(float64(d.spans))
	m.rejected.Add(float64(d.reply.rejected))
	m.orphans.Add(float64(len(d.orphans)))
}

// stored counts a batch of which the store says how many rows were new. Which
// these are it does not say: runs that this process has seen lately are known
// to be old, and of the others the first added ones are counted. So totals are
// exact, and so is the split but for runs that were stored by an earlier
// process.
func (m *metrics) stored(rows []store.Row, added int, seen *recent, took time.Duration) {
	m.storeTime.Observe(took.Seconds())
	m.duplicates.Add(float64(len(rows) - added))
	for _, row := range rows {
		if !seen.add(row.Run.RunID) || added == 0 {
			continue
		}
		added--
		if row.Run.Source == run.SourceFleet {
			m.count(row.Run)
		}
	}
}

func (m *metrics) count(r *run.Run) {
	key := [4]string{r.Country, r.CDN, r.AppVersion, r.Target}
	if !m.series[key] {
		if len(m.series) < maxSeries {
			// The run's strings are parts of a request's body.
			for i, s := range key {
				key[i] = string(append([]byte(nil), s...))
			}
			m.series[key] = true
		} else {
			key = [4]string{"other", "other", "other", "other"}
		}
	}
	m.storedRuns.WithLabelValues(key[:]...).Inc()
	good := m.goodRuns.WithLabelValues(key[:]...) // there at 0 too: a rate needs it
	if r.Good {
		good.Inc()
	}
}

// recent remembers the ids of the last runs, between one and two times
// maxRecent of them.
type recent struct{ now, before map[[16]byte]bool }

const maxRecent = 100_000

// add says whether id is new.
func (s *recent) add(id string) bool {
	b, err := run.ParseID(id)
	if err != nil || s.now[b] || s.before[b] {
		return false
	}
	if s.now == nil || len(s.now) >= maxRecent {
		s.before, s.now = s.now, make(map[[16]byte]bool, 1024)
	}
	s.now[b] = true
	return true
}
