package lifecycle

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Rival counts the requests of a handler as the documentation of promhttp does.
func Rival(next http.Handler) http.Handler {
	durations := promauto.NewHistogramVec(prometheus.HistogramOpts{
		Name:                        "http_server_request_duration_seconds",
		Buckets:                     []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10},
		NativeHistogramBucketFactor: 1.1,
	}, []string{"code", "method"})
	active := promauto.NewGauge(prometheus.GaugeOpts{Name: "http_server_active_requests"})
	return promhttp.InstrumentHandlerInFlight(active, promhttp.InstrumentHandlerDuration(durations, next))
}
