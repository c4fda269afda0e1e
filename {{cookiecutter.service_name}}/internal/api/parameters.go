package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"{{ cookiecutter.module_path }}/internal/problem"
)

// parameters reads values from the path and the query of a request. A value that is absent is the fallback. err reports
// all bad values at once.
type parameters struct {
	request *http.Request
	query   url.Values
	fields  []problem.Field
}

func parametersOf(r *http.Request) *parameters {
	query, err := url.ParseQuery(r.URL.RawQuery)
	p := &parameters{request: r, query: query}
	if err != nil {
		p.refuse("", "the query is not escaped as RFC 3986 wants it")
	}
	return p
}

// err returns nil, or an error for [fail] that is a 400 with an entry for each bad value.
func (p *parameters) err() error {
	if len(p.fields) == 0 {
		return nil
	}
	return badRequestError{http.StatusBadRequest, "The request has bad parameters.", p.fields}
}

// value returns a value of the path, or else of the query.
func (p *parameters) value(name string) string {
	if value := p.request.PathValue(name); value != "" {
		return value
	}
	return p.query.Get(name)
}

func (p *parameters) refuse(name, detail string) {
	p.fields = append(p.fields, problem.Field{Parameter: name, Detail: detail})
}

// number accepts a whole number from least to most.
func (p *parameters) number(name string, fallback, least, most int) int {
	value := p.value(name)
	if value == "" {
		return fallback
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		p.refuse(name, fmt.Sprintf("has to be a whole number from %d to %d", least, most))
		return fallback
	}
	return n
}

// oneOf accepts one of the choices.
func (p *parameters) oneOf(name, fallback string, choices ...string) string {
	value := p.value(name)
	if value == "" {
		return fallback
	}
	if !slices.Contains(choices, value) {
		p.refuse(name, "has to be "+strings.Join(choices, " or "))
		return fallback
	}
	return value
}

// time accepts a time such as 2006-01-02T15:04:05Z. See RFC 3339.
func (p *parameters) time(name string, fallback time.Time) time.Time {
	value := p.value(name)
	if value == "" {
		return fallback
	}
	t, err := time.Parse(time.RFC3339, value)
	if err != nil {
		p.refuse(name, "has to be a time such as 2006-01-02T15:04:05Z")
		return fallback
	}
	return t
}
