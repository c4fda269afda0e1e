// Package config reads the settings of the service from environment variables when it starts.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config has every setting. To add one, add a field here and a line in variables.
type Config struct {
	Port      int
	AdminAddr string

	LogLevel  slog.Level
	LogFormat string

	ReadHeaderTimeout time.Duration
	ReadTimeout       time.Duration
	WriteTimeout      time.Duration
	IdleTimeout       time.Duration
	MaxHeaderBytes    int
	MaxHeaderCount    int
	MaxBodyBytes      int
	MaxInFlight       int

	ShutdownDelay   time.Duration
	ShutdownTimeout time.Duration
}

// variable is one environment variable: what -help shows, and the parser of its value.
type variable struct {
	name     string
	fallback string // the value if the variable is not set
	meaning  string
	parser
}

func (c *Config) variables() []variable {
	return []variable{
		{"PORT", "{{ cookiecutter.http_port }}", "port to listen on, all interfaces; 0 picks a free one", number(&c.Port, 0, 65535)},
		{"ADMIN_ADDR", "127.0.0.1:9090", "address of pprof and expvar; empty turns them off", address(&c.AdminAddr)},
		{"LOG_LEVEL", "info", "least level that is logged: debug, info, warn or error", level(&c.LogLevel)},
		{"LOG_FORMAT", "json", "json for machines, text for people", oneOf(&c.LogFormat, "json", "text")},
		{"READ_HEADER_TIMEOUT", "5s", "time a client has to send its headers", duration(&c.ReadHeaderTimeout, time.Millisecond)},
		{"READ_TIMEOUT", "10s", "time a client has to send headers and body", duration(&c.ReadTimeout, time.Millisecond)},
		{"WRITE_TIMEOUT", "40s", "time to handle a request and send its answer", duration(&c.WriteTimeout, time.Millisecond)},
		{"IDLE_TIMEOUT", "90s", "time a kept-alive connection may stay unused", duration(&c.IdleTimeout, time.Millisecond)},
		{"MAX_HEADER_BYTES", "65536", "size of all headers of a request", number(&c.MaxHeaderBytes, 1024, 1<<20)},
		{"MAX_HEADER_COUNT", "100", "number of headers of a request", number(&c.MaxHeaderCount, 1, 500)},
		{"MAX_BODY_BYTES", "1048576", "size of the body of a request", number(&c.MaxBodyBytes, 0, 1<<30)},
		{"MAX_IN_FLIGHT", "1024", "requests served at once, probes apart; more are refused", number(&c.MaxInFlight, 1, 1<<20)},
		{"SHUTDOWN_DELAY", "0s", "time between failing /readyz and closing the listener", duration(&c.ShutdownDelay, 0)},
		{"SHUTDOWN_TIMEOUT", "20s", "time requests in flight have to finish after that", duration(&c.ShutdownTimeout, 0)},
	}
}

// Load reads every variable with lookup, a function like [os.LookupEnv]. The error has one line for each bad value.
func Load(lookup func(string) (string, bool)) (cfg Config, err error) {
	err = load(cfg.variables(), lookup)
	return cfg, err
}

func load(variables []variable, lookup func(string) (string, bool)) error {
	var problems []error
	for _, v := range variables {
		value, set := lookup(v.name)
		if !set {
			value = v.fallback
		}
		if !v.parse(value) {
			shown := strconv.Quote(value)
			if v.secret {
				shown = "***"
			}
			problems = append(problems, fmt.Errorf("%s=%s: must be %s", v.name, shown, v.accepted))
		}
	}
	return errors.Join(problems...)
}

// Help lists the variables, one per line: name, default, meaning.
func Help() string {
	var text strings.Builder
	text.WriteString("Environment variables, with their defaults:\n")
	for _, v := range new(Config).variables() {
		fmt.Fprintf(&text, "  %-20s %-15s %s\n", v.name, v.fallback, v.meaning)
	}
	return text.String()
}

// parser stores a value in its field of Config. parse returns false if the value is not accepted.
type parser struct {
	accepted string // for the error message
	parse    func(value string) bool
	secret   bool // the error message does not show the value
}

func number(field *int, least, most int) parser {
	return parser{accepted: fmt.Sprintf("a whole number from %d to %d", least, most), parse: func(value string) bool {
		n, err := strconv.ParseUint(value, 10, 31)
		*field = int(n)
		return err == nil && *field >= least && *field <= most
	}}
}

func duration(field *time.Duration, least time.Duration) parser {
	accepted := fmt.Sprintf("a duration of at least %s, like 500ms, 5s or 1m30s", least)
	return parser{accepted: accepted, parse: func(value string) bool {
		d, err := time.ParseDuration(value)
		*field = d
		return err == nil && d >= least
	}}
}

func oneOf(field *string, choices ...string) parser {
	return parser{accepted: strings.Join(choices, " or "), parse: func(value string) bool {
		*field = value
		return slices.Contains(choices, value)
	}}
}

func level(field *slog.Level) parser {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}
	return parser{accepted: "debug, info, warn or error", parse: func(value string) (known bool) {
		*field, known = levels[strings.ToLower(value)]
		return known
	}}
}

func address(field *string) parser {
	return parser{accepted: "host:port, :port or empty", parse: func(value string) bool {
		*field = value
		if value == "" {
			return true
		}
		_, port, err := net.SplitHostPort(value)
		_, portErr := strconv.ParseUint(port, 10, 16)
		return err == nil && portErr == nil
	}}
}
