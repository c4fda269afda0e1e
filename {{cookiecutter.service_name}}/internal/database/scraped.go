package database

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// The names are those of OpenTelemetry, as Prometheus writes them.
// See https://opentelemetry.io/docs/specs/semconv/database/database-metrics/.
var (
	durations = promauto.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "db_client_operation_duration_seconds",
		Help:    "Duration of queries. The label is sqlc's name of the query.",
		Buckets: []float64{.001, .005, .01, .05, .1, .5, 1, 5, 10},
	}, []string{"db_query_summary"})
	timeouts = promauto.NewCounter(prometheus.CounterOpts{
		Name: "db_client_connection_timeouts_total",
		Help: "Requests for a connection that DATABASE_ACQUIRE_TIMEOUT ended.",
	})
	_ = promauto.NewGaugeFunc(connections("used"), func() float64 { return float64(sumOf((*pgxpool.Stat).AcquiredConns)) })
	_ = promauto.NewGaugeFunc(connections("idle"), func() float64 { return float64(sumOf((*pgxpool.Stat).IdleConns)) })
	_ = promauto.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "db_client_connection_max",
		Help: "Connections that may be open: DATABASE_MAX_CONNS.",
	}, func() float64 { return float64(sumOf((*pgxpool.Stat).MaxConns)) })
)

func connections(state string) prometheus.GaugeOpts {
	return prometheus.GaugeOpts{
		Name:        "db_client_connection_count",
		Help:        "Connections that are open.",
		ConstLabels: prometheus.Labels{"db_client_connection_state": state},
	}
}

func observeQuery(_ context.Context, name string, took time.Duration) {
	durations.WithLabelValues(name).Observe(took.Seconds())
}

func countTimeout(context.Context) { timeouts.Inc() }
