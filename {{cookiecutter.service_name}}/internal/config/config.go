// Package config reads the settings of the service from environment variables, once, at its start.
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

// LookupFunc is the shape of [os.LookupEnv]: an empty variable is not an unset one.
type LookupFunc = func(name string) (value string, set bool)

// Config holds every setting. A new one is a field here and a line in variables.
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

// variable is one environment variable: what -help says of it and how its value is read.
type variable struct {
	name     string
	fallback string // the value when the variable is not set
	meaning  string
	secret   bool // never shown, not even in an error
	parser
}

func (c *Config) variables() []variable {
	return []variable{
		{name: "PORT", fallback: "{{ cookiecutter.http_port }}", meaning: "port to listen on, all interfaces; 0 picks a free one",
			parser: number(&c.Port, 0, 65535)},
		{name: "ADMIN_ADDR", fallback: "127.0.0.1:9090", meaning: "address of pprof and expvar; empty turns them off",
			parser: address(&c.AdminAddr)},

		{name: "LOG_LEVEL", fallback: "info", meaning: "least level that is logged",
			parser: level(&c.LogLevel)},
		{name: "LOG_FORMAT", fallback: "json", meaning: "json for machines, text for people",
			parser: oneOf(&c.LogFormat, "json", "text")},

		{name: "READ_HEADER_TIMEOUT", fallback: "5s", meaning: "time a client has to send its headers",
			parser: duration(&c.ReadHeaderTimeout, time.Millisecond)},
		{name: "READ_TIMEOUT", fallback: "10s", meaning: "time a client has to send headers and body",
			parser: duration(&c.ReadTimeout, time.Millisecond)},
		{name: "WRITE_TIMEOUT", fallback: "40s", meaning: "time to handle a request and send its answer",
			parser: duration(&c.WriteTimeout, time.Millisecond)},
		{name: "IDLE_TIMEOUT", fallback: "90s", meaning: "time a kept-alive connection may stay unused",
			parser: duration(&c.IdleTimeout, time.Millisecond)},
		{name: "MAX_HEADER_BYTES", fallback: "65536", meaning: "size of all headers of a request",
			parser: number(&c.MaxHeaderBytes, 1024, 1<<20)},
		{name: "MAX_HEADER_COUNT", fallback: "100", meaning: "number of headers of a request",
			parser: number(&c.MaxHeaderCount, 1, 500)},
		{name: "MAX_BODY_BYTES", fallback: "1048576", meaning: "size of the body of a request",
			parser: number(&c.MaxBodyBytes, 0, 1<<30)},
		{name: "MAX_IN_FLIGHT", fallback: "1024", meaning: "requests served at once, probes apart; more are refused",
			parser: number(&c.MaxInFlight, 1, 1<<20)},

		{name: "SHUTDOWN_DELAY", fallback: "0s", meaning: "time between failing /readyz and closing the listener",
			parser: duration(&c.ShutdownDelay, 0)},
		{name: "SHUTDOWN_TIMEOUT", fallback: "20s", meaning: "time requests in flight have to finish after that",
			parser: duration(&c.ShutdownTimeout, 0)},
	}
}

// Load reads every variable. Its error has a line for each bad one, not only for the first.
func Load(lookup LookupFunc) (Config, error) {
	var cfg Config
	err := load(cfg.variables(), lookup)
	return cfg, err
}

func load(variables []variable, lookup LookupFunc) error {
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
			problems = append(problems, fmt.Errorf("%s=%s: accepted is %s", v.name, shown, v.accepted))
		}
	}
	return errors.Join(problems...)
}

// Help lists the variables, a line each: name, default, meaning.
func Help() string {
	var text strings.Builder
	text.WriteString("Environment variables, with their defaults:\n")
	for _, v := range new(Config).variables() {
		fmt.Fprintf(&text, "  %-20s %-15s %s\n", v.name, v.fallback, v.meaning)
	}
	return text.String()
}

// parser reads a value into its field and reports whether it was one of those accepted.
type parser struct {
	accepted string
	parse    func(value string) bool
}

func number(field *int, least, most int) parser {
	return parser{fmt.Sprintf("a whole number from %d to %d", least, most), func(value string) bool {
		n, err := strconv.ParseUint(value, 10, 31)
		*field = int(n)
		return err == nil && *field >= least && *field <= most
	}}
}

func duration(field *time.Duration, least time.Duration) parser {
	return parser{fmt.Sprintf("a duration of at least %s, like 500ms, 5s or 1m30s", least), func(value string) bool {
		d, err := time.ParseDuration(value)
		*field = d
		return err == nil && d >= least
	}}
}

func oneOf(field *string, choices ...string) parser {
	return parser{strings.Join(choices, ", "), func(value string) bool {
		*field = value
		return slices.Contains(choices, value)
	}}
}

func level(field *slog.Level) parser {
	var name string
	known := oneOf(&name, "debug", "info", "warn", "error")
	return parser{known.accepted, func(value string) bool {
		return known.parse(strings.ToLower(value)) && field.UnmarshalText([]byte(name)) == nil
	}}
}

func address(field *string) parser {
	return parser{"host:port, :port, or nothing at all", func(value string) bool {
		*field = value
		if value == "" {
			return true
		}
		_, port, err := net.SplitHostPort(value)
		_, portErr := strconv.ParseUint(port, 10, 16)
		return err == nil && portErr == nil
	}}
}
