package config

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parser stores a value in its field of Config. parse returns false if the value is not accepted.
type parser struct {
	accepted string // for the error message
	parse    func(value string) bool
	secret   bool // the error message does not show the value, and NAME_FILE may name a file with it
}

// text accepts any value that is not empty.
func text(field *string) parser {
	return parser{accepted: "a text", parse: func(value string) bool {
		*field = value
		return value != ""
	}}
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

func truth(field *bool) parser {
	return parser{accepted: "true or false", parse: func(value string) bool {
		*field = value == "true"
		return *field || value == "false"
	}}
}

func oneOf(field *string, choices ...string) parser {
	return parser{accepted: strings.Join(choices, " or "), parse: func(value string) bool {
		*field = value
		return slices.Contains(choices, value)
	}}
}

// list accepts values with commas between them. An empty value is an empty list.
func list(field *[]string) parser {
	return listOf(field, "values with commas between them", func(item string) (string, bool) { return item, item != "" })
}

// address accepts an absolute URL.
func address(field *url.URL) parser {
	return parser{accepted: "an absolute URL, like https://example.com/path", parse: func(value string) bool {
		u, err := url.Parse(value)
		if err != nil {
			return false
		}
		*field = *u
		return u.Scheme != "" && u.Host != ""
	}}
}

// secret accepts any value that is not empty. If NAME_FILE is set, the value is read from that file.
func secret(field *Secret) parser {
	return parser{accepted: "a secret, or NAME_FILE a file with it", secret: true, parse: func(value string) bool {
		*field = NewSecret(value)
		return value != ""
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

// listener accepts an address to listen on.
func listener(field *string) parser {
	return parser{accepted: "host:port, :port or empty", parse: func(value string) bool {
		*field = value
		_, port, err := net.SplitHostPort(value)
		_, portErr := strconv.ParseUint(port, 10, 16)
		return value == "" || err == nil && portErr == nil
	}}
}

func origins(field *[]string) parser {
	accepted := "origins as browsers send them, with commas between them, like https://app.example.com"
	return listOf(field, accepted, func(item string) (string, bool) {
		origin, err := url.Parse(item)
		if err != nil || item != strings.ToLower(origin.Scheme+"://"+origin.Host) || strings.Contains(item, "*") {
			return "", false
		}
		defaultPort := map[string]string{"http": ":80", "https": ":443"}[origin.Scheme]
		isDefault := defaultPort != "" && strings.HasSuffix(item, defaultPort)
		return item, !isDefault && http.NewCrossOriginProtection().AddTrustedOrigin(item) == nil
	})
}

func networks(field *[]netip.Prefix) parser {
	accepted := "networks with commas between them, like 10.0.0.0/8,::1/128"
	return listOf(field, accepted, func(item string) (netip.Prefix, bool) {
		network, err := netip.ParsePrefix(item)
		return network, err == nil && !network.Addr().Is4In6() // addresses are compared as IPv4
	})
}

func listOf[T any](field *[]T, accepted string, parse func(item string) (T, bool)) parser {
	return parser{accepted: accepted, parse: func(value string) bool {
		*field = nil
		if value == "" {
			return true
		}
		for item := range strings.SplitSeq(value, ",") {
			parsed, ok := parse(strings.TrimSpace(item))
			if !ok {
				return false
			}
			*field = append(*field, parsed)
		}
		return true
	}}
}
