package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/firstframe/firstframe/collector/store"
)

// storeMetrics show how much a store holds, as of the scrape.
type storeMetrics struct {
	store             store.Store
	runs, days, bytes *prometheus.Desc
}

func newStoreMetrics(s store.Store) *storeMetrics {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("firstframe_store_"+name, help, nil, nil)
	}
	return &storeMetrics{
		store: s, runs: desc("runs", "Runs that are kept."), days: desc("days", "UTC days that hold runs."),
		bytes: desc("bytes", "Size of the store on disk."),
	}
}

// Describe is of prometheus.Collector.
func (m *storeMetrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- m.runs
	ch <- m.days
	ch <- m.bytes
}

// Collect is of prometheus.Collector. A store that does not answer fails the
// scrape's metrics of it.
func (m *storeMetrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	stats, err := m.store.Stats(ctx)
	for desc, value := range map[*prometheus.Desc]float64{
		m.runs: float64(stats.Runs), m.days: float64(stats.Days), m.bytes: float64(stats.Bytes),
	} {
		if err != nil {
			ch <- prometheus.NewInvalidMetric(desc, err)
			continue
		}
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
}
