package telemetry

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"{{ cookiecutter.module_path }}/internal/build"
)

// sends reports whether a signal, TRACES or METRICS, is sent. Without an endpoint the exporters would send to localhost.
// See https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
func sends(signal string) bool {
	endpoint := os.Getenv("OTEL_EXPORTER_OTLP_" + signal + "_ENDPOINT")
	if endpoint == "" {
		endpoint = os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")
	}
	isOff := strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_"+signal+"_EXPORTER") == "none"
	if endpoint == "" || isOff {
		return false
	}
	if !strings.HasPrefix(endpoint, "http://") && !strings.HasPrefix(endpoint, "https://") {
		otel.Handle(fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT=%q: must be a URL like http://collector:4318; nothing is sent", endpoint))
		return false
	}
	return true
}

// resourceOf describes who sends. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES have the last word.
func resourceOf(info build.Info) *resource.Resource {
	described, err := resource.New(context.Background(),
		resource.WithService(),
		resource.WithTelemetrySDK(),
		resource.WithHost(),
		resource.WithAttributes(semconv.ServiceName(info.Service), semconv.ServiceVersion(info.Version)),
		resource.WithFromEnv(),
	)
	if err != nil {
		otel.Handle(err)
	}
	return described
}

// positive returns a variable's whole number. The SDK would panic at a negative one.
func positive(variable string, fallback int) int {
	text, set := os.LookupEnv(variable)
	if !set || text == "" {
		return fallback
	}
	const most = 1 << 20
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		otel.Handle(fmt.Errorf("%s=%q: must be a whole number from 1 to %d; it is %d", variable, text, most, fallback))
		return fallback
	}
	return n
}
