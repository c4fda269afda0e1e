package telemetry

import (
	"testing"

	"{{ cookiecutter.module_path }}/internal/middleware"
)

func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]string{"GET": "GET", "get": "_OTHER", "BREW": "_OTHER", "": "_OTHER"} {
		if got := labelsOf(middleware.Outcome{Method: method}).method; got != want {
			t.Errorf("method %q is counted as %q, want %q", method, got, want)
		}
	}
	patterns := map[string]string{"": "", "POST /v1/x": "/v1/x", "/v1/{id}": "/v1/{id}", "GET example.com/x": "/x"}
	for pattern, want := range patterns {
		if got := pathOf(pattern); got != want {
			t.Errorf("pattern %q has the route %q, want %q", pattern, got, want)
		}
	}
}

func TestSeriesAreFoundWithoutAllocating(t *testing.T) {
	created := 0
	c := newCache(func(labels) *int { created++; return new(int) })
	one := labels{method: "GET", pattern: "GET /x", status: 200}
	first := c.get(one)
	c.get(labels{method: "GET", pattern: "GET /x", status: 404})
	if again := c.get(one); again != first || created != 2 {
		t.Errorf("%d series are made for two sets of labels, and the first is %p, then %p", created, first, again)
	}
	if got := testing.AllocsPerRun(100, func() { c.get(one) }); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}
