package telemetry

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"{{ cookiecutter.module_path }}/internal/middleware"
)

// otherMethod is the method of requests whose own is not known. A client could invent any number of them.
// See https://opentelemetry.io/docs/specs/semconv/http/http-metrics/.
const otherMethod = "_OTHER"

var knownMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY"}

// methodOf never returns the request's own string, which would keep its whole first line in memory.
func methodOf(request string) string {
	for _, known := range knownMethods {
		if request == known {
			return known
		}
	}
	return otherMethod
}

// pathOf returns the path of a route's pattern, which may begin with a method and a host.
func pathOf(pattern string) string {
	return pattern[max(0, strings.IndexByte(pattern, '/')):]
}

// labels tell the series of a request. All are bounded: the method, by methodOf, the pattern and the status by the code.
type labels struct {
	method, pattern string
	status          int
{%- if cookiecutter.rpc != "none" %}
	code            string // of a call
{%- endif %}
}

func labelsOf(outcome middleware.Outcome) labels {
	return labels{methodOf(outcome.Method), outcome.Route, outcome.Status{% if cookiecutter.rpc != "none" %}, outcome.Code{% endif %}}
}

// cache keeps what create returns for labels, so that a request allocates nothing to find its series.
type cache[T any] struct {
	create func(labels) T
	known  atomic.Pointer[map[labels]T] // is replaced, never changed
	adding sync.Mutex
}

func newCache[T any](create func(labels) T) *cache[T] {
	c := &cache[T]{create: create}
	c.known.Store(&map[labels]T{})
	return c
}

func (c *cache[T]) get(l labels) T {
	if found, ok := (*c.known.Load())[l]; ok {
		return found
	}
	c.adding.Lock()
	defer c.adding.Unlock()
	known := maps.Clone(*c.known.Load())
	known[l] = c.create(l)
	c.known.Store(&known)
	return known[l]
}
