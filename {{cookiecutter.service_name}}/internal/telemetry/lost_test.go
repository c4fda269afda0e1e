package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

func TestLossesAreCountedAndReportedOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		lost := &losses{logger: slog.New(slog.NewTextHandler(&log, nil))}
		for range 3 {
			lost.add(2, errors.New(strings.Repeat("gone", 1000)))
			time.Sleep(warningPause / 3)
		}
		lost.add(1, errors.New("collector gone"))
		lost.atTheEnd(nil)
		if got := lost.spans.Load(); got != 7 {
			t.Errorf("%d spans are lost, want 7", got)
		}
		for i, line := range strings.Split(strings.TrimSpace(log.String()), "\n") {
			if want := []string{"spans=2 ", "spans=5 "}; i > 1 || !strings.Contains(line, want[i]) || len(line) > 1000 {
				t.Errorf("line %d of the log is %s", i, line)
			}
		}
	})
}

// blockedExporter exports nothing until its context is done.
type blockedExporter struct{ sdktrace.SpanExporter }

func (blockedExporter) ExportSpans(ctx context.Context, _ []sdktrace.ReadOnlySpan) error {
	<-ctx.Done()
	return ctx.Err()
}

func (blockedExporter) Shutdown(context.Context) error { return nil }

func TestSpansBeyondTheQueueAreLostAndNobodyWaits(t *testing.T) {
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10")
	t.Setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
	lost := &losses{logger: slog.New(slog.DiscardHandler)}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(newQueue(blockedExporter{}, lost)))
	const spans = 100
	for range spans {
		_, span := provider.Tracer("test").Start(t.Context(), "work")
		span.End()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := provider.Shutdown(ctx); err == nil {
		t.Error("Shutdown() = nil, want an error: the exporter hangs")
	}
	if got := lost.spans.Load(); got != spans {
		t.Errorf("%d spans are lost, want %d", got, spans)
	}
}

func TestAStopCountsWhatIsLostAtItsEndAndDoesNotWaitForWhatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		lost := &losses{logger: slog.New(slog.NewTextHandler(&log, nil))}
		hang := make(chan struct{})
		defer close(hang)
		begin := time.Now()
		(&Telemetry{lost: lost, stop: []func(context.Context) error{
			func(context.Context) error { <-hang; return nil },
			func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(time.Millisecond)
				lost.spans.Add(5)
				return ctx.Err()
			},
		}}).Stop()
		if took := time.Since(begin); took != stopTimeout+hangGrace {
			t.Errorf("Stop() takes %s, want %s", took, stopTimeout+hangGrace)
		}
		if !strings.Contains(log.String(), "spans=5 ") {
			t.Errorf("the log is %s", log.String())
		}
	})
}

func TestNumbersThatTheSDKCannotTakeAreIgnored(t *testing.T) {
	for text, want := range map[string]int{"": 7, "12": 12, "0": 7, "-5": 7, "many": 7, "99999999999": 7} {
		t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", text)
		if got := positive("OTEL_BSP_MAX_QUEUE_SIZE", 7); got != want {
			t.Errorf("positive(%q) = %d, want %d", text, got, want)
		}
	}
}
