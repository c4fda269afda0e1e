package database

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// The names are OpenTelemetry's. Making an instrument fails only if its name is wrong.
// See https://opentelemetry.io/docs/specs/semconv/database/database-metrics/.
var (
	meter        = otel.Meter("{{ cookiecutter.module_path }}/internal/database")
	durations, _ = meter.Float64Histogram("db.client.operation.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of queries. The attribute is sqlc's name of the query."),
		metric.WithExplicitBucketBoundaries(.001, .005, .01, .05, .1, .5, 1, 5, 10))
	timeouts, _ = meter.Int64Counter("db.client.connection.timeouts", metric.WithUnit("{timeout}"),
		metric.WithDescription("Requests for a connection that DATABASE_ACQUIRE_TIMEOUT ended."))
	_, _ = meter.Int64ObservableUpDownCounter("db.client.connection.count", metric.WithUnit("{connection}"),
		metric.WithDescription("Connections that are open."),
		metric.WithInt64Callback(func(_ context.Context, observer metric.Int64Observer) error {
			observer.Observe(int64(sumOf((*pgxpool.Stat).AcquiredConns)), inState("used"))
			observer.Observe(int64(sumOf((*pgxpool.Stat).IdleConns)), inState("idle"))
			return nil
		}))
	_, _ = meter.Int64ObservableUpDownCounter("db.client.connection.max", metric.WithUnit("{connection}"),
		metric.WithDescription("Connections that may be open: DATABASE_MAX_CONNS."),
		metric.WithInt64Callback(func(_ context.Context, observer metric.Int64Observer) error {
			observer.Observe(int64(sumOf((*pgxpool.Stat).MaxConns)))
			return nil
		}))
)

func inState(state string) metric.ObserveOption {
	return metric.WithAttributes(attribute.String("db.client.connection.state", state))
}

func observeQuery(ctx context.Context, name string, took time.Duration) {
	durations.Record(ctx, took.Seconds(), metric.WithAttributes(semconv.DBQuerySummary(name)))
}

func countTimeout(ctx context.Context) { timeouts.Add(ctx, 1) }
