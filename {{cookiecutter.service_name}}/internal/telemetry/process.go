package telemetry

import (
	"context"
	"fmt"
	"os"
	runtimemetrics "runtime/metrics"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// started is when the process started, near enough to tell restarts apart.
var started = time.Now()

// measure is a figure of the process, with the name that Prometheus' Go client gives it but for the dots.
type measure struct {
	name, unit string
	counter    bool
	read       func() float64
}

var measures = []measure{
	{"go.goroutines", "", false, runtimeFigure("/sched/goroutines:goroutines")},
	{"go.memstats.heap_alloc", "By", false, runtimeFigure("/memory/classes/heap/objects:bytes")},
	{"go.memstats.alloc", "By", true, runtimeFigure("/gc/heap/allocs:bytes")},
	{"go.gc.cycles", "", true, runtimeFigure("/gc/cycles/total:gc-cycles")},
	{"process.start_time", "s", false, func() float64 { return float64(started.UnixMilli()) / 1000 }},
	{"process.cpu", "s", true, func() float64 { return (statField(14) + statField(15)) / ticksPerSecond }},
	{"process.resident_memory", "By", false, func() float64 { return statField(24) * float64(os.Getpagesize()) }},
	{"process.open_fds", "", false, openFiles},
	{"process.max_fds", "", false, maxFiles},
}

// describeProcess adds the measures. Those of /proc are 0 on other systems than Linux.
func describeProcess(meter metric.Meter) {
	for _, m := range measures {
		observe := metric.WithFloat64Callback(func(_ context.Context, observer metric.Float64Observer) error {
			observer.Observe(m.read())
			return nil
		})
		if m.counter {
			_, _ = meter.Float64ObservableCounter(m.name, metric.WithUnit(m.unit), observe)
		} else {
			_, _ = meter.Float64ObservableGauge(m.name, metric.WithUnit(m.unit), observe)
		}
	}
}

func runtimeFigure(name string) func() float64 {
	return func() float64 {
		samples := make([]runtimemetrics.Sample, 1)
		samples[0].Name = name
		runtimemetrics.Read(samples)
		return float64(samples[0].Value.Uint64())
	}
}

// ticksPerSecond is USER_HZ, which is 100 on every Linux that Go runs on.
const ticksPerSecond = 100

// statField returns a field of /proc/self/stat, counted from 1. See proc_pid_stat(5).
func statField(number int) float64 {
	text, _ := os.ReadFile("/proc/self/stat")
	const beforeFields = 2 // the process' id, and its name in parentheses, which may have spaces
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if i := number - beforeFields - 1; i < len(fields) {
		value, _ := strconv.ParseFloat(fields[i], 64)
		return value
	}
	return 0
}

func openFiles() float64 {
	files, _ := os.ReadDir("/proc/self/fd")
	return float64(len(files))
}

func maxFiles() float64 {
	text, _ := os.ReadFile("/proc/self/limits")
	_, limits, _ := strings.Cut(string(text), "Max open files")
	var value float64
	_, _ = fmt.Sscan(limits, &value)
	return value
}
