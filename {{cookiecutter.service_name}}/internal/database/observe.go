{%- from "telemetry.jinja" import telemetry with context -%}
package database

import (
	"context"
	"regexp"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
{%- if telemetry.traced %}
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
{%- endif %}
)

// observer times queries{% if telemetry.traced %}, and makes a span of each{% endif %}. It knows them by the names that sqlc gave them: their
// text would be too long, and may have secrets. See https://opentelemetry.io/docs/specs/semconv/database/.
type observer struct{}

type queryKey struct{}

type query struct {
	name  string
	begin time.Time
{%- if telemetry.traced %}
	span  trace.Span
{%- endif %}
}

var sqlcName = regexp.MustCompile(`^-- name: (\w+)|^(begin|commit|rollback)\b`)

// nameOf returns the name of a query. All that sqlc does not know have the same.
func nameOf(sql string) string {
	if found := sqlcName.FindStringSubmatch(sql); found != nil {
		return found[1] + found[2]
	}
	return "other"
}

// TraceQueryStart implements [pgx.QueryTracer].
func (observer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return start(ctx, nameOf(data.SQL))
}

// TraceQueryEnd implements [pgx.QueryTracer].
func (observer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	end(ctx, data.Err)
}

// TraceBatchStart implements [pgx.BatchTracer].
func (observer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return start(ctx, "batch")
}

// TraceBatchQuery implements [pgx.BatchTracer].
func (observer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd implements [pgx.BatchTracer].
func (observer) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchEndData) {
	end(ctx, data.Err)
}

func start(ctx context.Context, name string) context.Context {
	q := &query{name: name, begin: time.Now()}
{%- if telemetry.traced %}
	ctx, q.span = otel.Tracer("{{ cookiecutter.module_path }}/internal/database").Start(ctx, name,
		trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(semconv.DBSystemNamePostgreSQL, semconv.DBQuerySummary(name)))
{%- endif %}
	return context.WithValue(ctx, queryKey{}, q)
}

func end(ctx context.Context, {% if telemetry.traced %}err{% else %}_{% endif %} error) {
	q, ok := ctx.Value(queryKey{}).(*query)
	if !ok {
		return
	}
	observeQuery(ctx, q.name, time.Since(q.begin))
{%- if telemetry.traced %}
	if err != nil {
		reason := codeOf(err)
		if reason == "" {
			reason = "connection"
		}
		q.span.SetAttributes(semconv.ErrorTypeKey.String(reason))
		q.span.SetStatus(codes.Error, "")
	}
	q.span.End()
{%- endif %}
}

// pools are those that are open. A service has one, its tests have many.
var pools sync.Map

// sumOf adds up a figure of all open pools.
func sumOf(figure func(*pgxpool.Stat) int32) (sum int32) {
	for pool := range pools.Range {
		sum += figure(pool.(*pgxpool.Pool).Stat())
	}
	return sum
}
