{%- from "telemetry.jinja" import telemetry with context -%}
// Package config reads the settings of the service from environment variables when it starts. Settings of your own go
// into service.go.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
{%- if cookiecutter.database != "none" %}
	"slices"
{%- endif %}
	"strconv"
	"strings"
	"time"
)

// Config has every setting.
type Config struct {
	Port      int
	AdminAddr string
{%- if telemetry.scraped %}

	MetricsAddr string
{%- endif %}

	LogLevel  slog.Level
	LogFormat string

	ReadHeaderTimeout time.Duration
	ReadTimeout       time.Duration
	WriteTimeout      time.Duration
	IdleTimeout       time.Duration
	MaxHeaderBytes    int
	MaxHeaderCount    int
	RequestTimeout    time.Duration
	MaxBodyBytes      int
	MaxConnections    int
	MaxInFlight       int
	MaxStreams        int

	TrustedOrigins []string
	TrustedProxies []netip.Prefix

	ShutdownDelay   time.Duration
	ShutdownTimeout time.Duration
{%- if cookiecutter.database != "none" %}

	Database Database
{%- endif %}

	Service Service
}

// variable is one environment variable: what -help shows, and the parser of its value.
type variable struct {
	name     string
	fallback string // the value if the variable is not set, or required
	meaning  string
	parser
}

// required is the fallback of a variable that has to be set. No environment can hold this value.
const required = "\x00"

func (c *Config) variables() []variable {
	return []variable{
		{"PORT", "{{ cookiecutter.http_port }}", "port to listen on, all interfaces; 0 picks a free one", number(&c.Port, 0, 65535)},
		{"ADMIN_ADDR", "127.0.0.1:9090", "address of probes, pprof and expvar; empty turns it off", listener(&c.AdminAddr)},
{%- if telemetry.scraped %}
		{"METRICS_ADDR", ":9464", "address of /metrics; empty turns it off", listener(&c.MetricsAddr)},
{%- endif %}
		{"LOG_LEVEL", "info", "least level that is logged: debug, info, warn or error", level(&c.LogLevel)},
		{"LOG_FORMAT", "json", "json for machines, text for people", oneOf(&c.LogFormat, "json", "text")},
		{"READ_HEADER_TIMEOUT", "5s", "time a client has to send its headers", duration(&c.ReadHeaderTimeout, time.Millisecond)},
		{"READ_TIMEOUT", "10s", "time a client has to send headers and body", duration(&c.ReadTimeout, time.Millisecond)},
		{"WRITE_TIMEOUT", "40s", "time to handle a request and send its answer", duration(&c.WriteTimeout, time.Millisecond)},
		{"IDLE_TIMEOUT", "90s", "time a kept-alive connection{% if cookiecutter.rpc != "none" %} or a stream of messages{% endif %} may stay unused", duration(&c.IdleTimeout, time.Millisecond)},
		{"MAX_HEADER_BYTES", "65536", "size of all headers of a request", number(&c.MaxHeaderBytes, 1024, 1<<20)},
		{"MAX_HEADER_COUNT", "100", "number of headers of a request", number(&c.MaxHeaderCount, 1, 500)},
		{"REQUEST_TIMEOUT", "30s", "time a handler has, at most three quarters of WRITE_TIMEOUT", duration(&c.RequestTimeout, time.Millisecond)},
		{"MAX_BODY_BYTES", "1048576", "size of the body of a request{% if cookiecutter.rpc != "none" %}, or of each message of a stream{% endif %}", number(&c.MaxBodyBytes, 0, 1<<30)},
		{"MAX_CONNECTIONS", "4096", "connections open at once on PORT; more wait", number(&c.MaxConnections, 1, 1<<20)},
		{"MAX_IN_FLIGHT", "1024", "requests served at once, probes and streams apart; more are refused", number(&c.MaxInFlight, 1, 1<<20)},
		{"MAX_STREAMS", "1024", "streams served at once; more are refused", number(&c.MaxStreams, 1, 1<<20)},
		{"TRUSTED_ORIGINS", "", "origins whose pages may send requests, like https://app.example.com", origins(&c.TrustedOrigins)},
		{"TRUSTED_PROXIES", "", "networks whose X-Forwarded-For or Forwarded is believed, like 10.0.0.0/8", networks(&c.TrustedProxies)},
		{"SHUTDOWN_DELAY", "0s", "time between failing /readyz and closing the listener", duration(&c.ShutdownDelay, 0)},
		{"SHUTDOWN_TIMEOUT", "20s", "time to finish requests, workers and connections after that", duration(&c.ShutdownTimeout, 0)},
	}
}

// Load reads every variable with lookup, a function like [os.LookupEnv]. The error has one line for each bad value.
func Load(lookup func(string) (string, bool)) (cfg Config, err error) {
	err = load(cfg.all(), lookup)
	cfg.RequestTimeout = min(cfg.RequestTimeout, cfg.WriteTimeout/4*3) // so that there is time left to respond
{%- if cookiecutter.database != "none" %}
	cfg.Database.fit(cfg.RequestTimeout, cfg.WriteTimeout)
{%- endif %}
	return cfg, err
}

// all returns the template's variables and those of service.go.
func (c *Config) all() []variable {
{%- if cookiecutter.database != "none" %}
	return slices.Concat(c.variables(), c.Database.variables(), c.Service.variables())
{%- else %}
	return append(c.variables(), c.Service.variables()...)
{%- endif %}
}

func load(variables []variable, lookup func(string) (string, bool)) error {
	var problems []error
	for _, v := range variables {
		if err := v.load(lookup); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

func (v variable) load(lookup func(string) (string, bool)) error {
	value, set := lookup(v.name)
	if path, inFile := lookup(v.name + "_FILE"); v.secret && inFile {
		if set {
			return fmt.Errorf("%s and %s_FILE are both set: set one of them", v.name, v.name)
		}
		content, err := os.ReadFile(path) //nolint:gosec // the path comes from the operator
		if err != nil {
			return fmt.Errorf("%s_FILE: %w", v.name, err)
		}
		value, set = strings.TrimRight(string(content), "\r\n"), true
	}
	if !set && v.fallback == "" {
		return nil
	}
	if !set {
		value = v.fallback
	}
	accepted := strings.Replace(v.accepted, "NAME", v.name, 1)
	if value == required {
		return fmt.Errorf("%s is not set: must be %s", v.name, accepted)
	}
	if v.parse(value) {
		return nil
	}
	shown := strconv.Quote(value)
	if v.secret {
		shown = "***"
	}
	return fmt.Errorf("%s=%s: must be %s", v.name, shown, accepted)
}

// Help lists the variables, one per line: name, default, meaning.
func Help() string {
	var text strings.Builder
	text.WriteString("Environment variables, with their defaults:\n")
	for _, v := range new(Config).all() {
		fallback := cmp.Or(map[string]string{"": "(none)", required: "(required)"}[v.fallback], v.fallback)
		fmt.Fprintf(&text, "  %-20s %-15s %s\n", v.name, fallback, v.meaning)
	}
	return text.String()
}
