{%- from "telemetry.jinja" import telemetry with context -%}
{%- set parts = "counts and traces" if telemetry.traced else "counts" -%}
// Package telemetry {{ parts }} the requests of the service. docs/telemetry.md says what to do with it.
package telemetry

import (
{%- if telemetry.traced %}
	"context"
	"errors"
{%- endif %}
	"log/slog"
{%- if telemetry.scraped %}
	"net/http"
{%- endif %}
{%- if telemetry.traced %}
	"strings"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
{%- endif %}

	"{{ cookiecutter.module_path }}/internal/build"
	"{{ cookiecutter.module_path }}/internal/middleware"
)
{%- if telemetry.traced %}

const (
	// stopTimeout is how long Stop waits for a collector that is slow or gone.
	stopTimeout = 2 * time.Second
	// hangGrace is how much longer it waits for a callback of the team's that hangs. No context ends that.
	hangGrace = 200 * time.Millisecond
)
{%- endif %}

// Telemetry is what watches the requests.
type Telemetry struct {
	Observers []middleware.Observer
{%- if telemetry.scraped %}
	Metrics   http.Handler // GET /metrics
{%- endif %}
{%- if telemetry.traced %}

	lost *losses
	stop []func(context.Context) error
{%- endif %}
}
{%- if cookiecutter.telemetry == "prometheus" %}

// Start begins to count. linesLost returns how many lines of the log were lost.
func Start(info build.Info, logger *slog.Logger, linesLost func() int64) *Telemetry {
	metrics := newMetrics(info, linesLost)
	return &Telemetry{Observers: []middleware.Observer{metrics}, Metrics: metrics.handler(logger)}
}
{%- else %}

// Start begins to count and to trace. linesLost returns how many lines of the log were lost. What OpenTelemetry itself
// has to say goes to the log. A collector that cannot be reached is no reason not to start.
func Start(info build.Info, logger *slog.Logger, linesLost func() int64) *Telemetry {
	t := &Telemetry{lost: &losses{logger: logger}}
	otel.SetLogger(logr.FromSlogHandler(withoutSecrets{logger.Handler()}))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn("telemetry setting", "error", err) }))
	defer otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { t.lost.add(0, err) }))
	warnOfOthers()
{%- if telemetry.scraped %}
	t.startTraces(resourceOf(info))
	metrics := newMetrics(info, linesLost, t.lost.spans.Load)
	t.Observers = append(t.Observers, metrics)
	t.Metrics = metrics.handler(logger)
{%- else %}
	sender := resourceOf(info)
	t.startTraces(sender)
	t.startMetrics(info, sender, linesLost)
{%- endif %}
	return t
}

// withoutSecrets logs what OpenTelemetry says of headers and addresses without their values: these may have passwords.
type withoutSecrets struct{ slog.Handler }

func (h withoutSecrets) Handle(ctx context.Context, record slog.Record) error {
	if strings.Contains(record.Message, "header") || strings.Contains(record.Message, "url") {
		record = slog.NewRecord(record.Time, record.Level, record.Message, record.PC)
	}
	return h.Handler.Handle(ctx, record)
}

// Stop sends what was not sent yet. It takes stopTimeout at most, and hangGrace.
func (t *Telemetry) Stop() {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	results := make(chan error, len(t.stop))
	for _, stop := range t.stop {
		go func() { results <- stop(ctx) }()
	}
	hangs := time.After(stopTimeout + hangGrace)
	var errs []error
	for range t.stop {
		select {
		case err := <-results:
			errs = append(errs, err)
		case <-hangs:
			t.lost.atTheEnd(errors.Join(append(errs, ctx.Err())...))
			return
		}
	}
	t.lost.atTheEnd(errors.Join(errs...))
}
{%- endif %}
