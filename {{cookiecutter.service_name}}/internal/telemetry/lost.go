package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// warningPause is the time between two warnings, however much is lost.
const warningPause = time.Minute

var errQueueFull = errors.New("more spans than OTEL_BSP_MAX_QUEUE_SIZE wait to be sent")

// losses counts the spans that the collector never gets.
type losses struct {
	logger *slog.Logger
	spans  atomic.Int64

	mu       sync.Mutex
	warned   time.Time
	reported int64 // spans in the warnings so far
	last     error
}

// add counts spans as lost. err says why.
func (l *losses) add(spans int, err error) {
	l.spans.Add(int64(spans))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = err
	if time.Since(l.warned) >= warningPause {
		l.warn()
	}
}

// atTheEnd reports what no warning has reported. err is that of the last attempt to send.
func (l *losses) atTheEnd(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.last = err
	}
	if err != nil || l.spans.Load() > l.reported {
		l.warn()
	}
}

func (l *losses) warn() {
	lost := l.spans.Load()
	l.logger.Warn("telemetry lost", "spans", lost-l.reported, "error", fmt.Sprintf("%.500v", l.last)) // it may quote the response
	l.warned, l.reported = time.Now(), lost
}

// queue is a batch processor with a limit of its own, because the processor does not tell how many spans it drops.
type queue struct {
	sdktrace.SpanProcessor
	lost  *losses
	size  int64
	spans atomic.Int64 // that wait or are being sent
}

// newQueue returns a queue of the size that OTEL_BSP_MAX_QUEUE_SIZE says.
func newQueue(exporter sdktrace.SpanExporter, lost *losses) *queue {
	size := positive("OTEL_BSP_MAX_QUEUE_SIZE", sdktrace.DefaultMaxQueueSize)
	q := &queue{lost: lost, size: int64(size)}
	q.SpanProcessor = sdktrace.NewBatchSpanProcessor(&countingExporter{exporter, q},
		sdktrace.WithMaxQueueSize(size),
		sdktrace.WithMaxExportBatchSize(min(size, positive("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", sdktrace.DefaultMaxExportBatchSize))),
		sdktrace.WithBatchTimeout(time.Duration(positive("OTEL_BSP_SCHEDULE_DELAY", sdktrace.DefaultScheduleDelay))*time.Millisecond),
	)
	return q
}

// OnEnd implements [sdktrace.SpanProcessor].
func (q *queue) OnEnd(span sdktrace.ReadOnlySpan) {
	if q.spans.Add(1) > q.size {
		q.spans.Add(-1)
		q.lost.add(1, errQueueFull)
		return
	}
	q.SpanProcessor.OnEnd(span)
}

// Shutdown implements [sdktrace.SpanProcessor]. The spans that are left when ctx is done are lost.
func (q *queue) Shutdown(ctx context.Context) error {
	err := q.SpanProcessor.Shutdown(ctx)
	q.lost.spans.Add(q.spans.Swap(0))
	return err
}

// countingExporter counts the spans that leave the queue.
type countingExporter struct {
	sdktrace.SpanExporter
	queue *queue
}

// ExportSpans implements [sdktrace.SpanExporter]. Its error would be counted twice if it returned it.
func (e *countingExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	left := e.queue.spans.Add(-int64(len(spans))) // not before: at the stop, what is still being sent is lost
	if err != nil && left >= 0 {                  // below 0 are spans that the stop has counted
		e.queue.lost.add(len(spans), err)
	}
	return nil
}
