package telemetry

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"slices"
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
	variable := "OTEL_EXPORTER_OTLP_" + signal + "_ENDPOINT"
	if os.Getenv(variable) == "" {
		variable = "OTEL_EXPORTER_OTLP_ENDPOINT"
	}
	isOff := oneOf("OTEL_SDK_DISABLED", "false", "true") == "true" || oneOf("OTEL_"+signal+"_EXPORTER", "otlp", "none") == "none"
	endpoint := os.Getenv(variable)
	if endpoint == "" || isOff {
		return false
	}
	if u, err := url.Parse(endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		otel.Handle(fmt.Errorf("%s: must be a URL like http://collector:4318; nothing is sent", variable)) // it may have a password
		return false
	}
	return true
}

// warnOfOthers warns of what the exporters ignore silently.
func warnOfOthers() {
	for _, signal := range []string{"", "TRACES_", "METRICS_"} {
		oneOf("OTEL_EXPORTER_OTLP_"+signal+"PROTOCOL", "http/protobuf")
		oneOf("OTEL_EXPORTER_OTLP_"+signal+"COMPRESSION", "none", "gzip")
	}
}

// oneOf returns the value of a variable in lower case. If it is not accepted, it is the first one.
func oneOf(variable string, accepted ...string) string {
	value := strings.ToLower(os.Getenv(variable))
	switch {
	case slices.Contains(accepted, value):
		return value
	case value != "":
		otel.Handle(fmt.Errorf("%s=%q: must be %s", variable, value, strings.Join(accepted, " or ")))
	}
	return accepted[0]
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
