// Package admin serves profiles and counters on ADMIN_ADDR. They are for operators, not for clients.
package admin

import (
	"context"
	"expvar"
	"fmt"
	"net/http"
	"runtime/pprof"
	"strconv"
	"time"

	"{{ cookiecutter.module_path }}/internal/health"
	"{{ cookiecutter.module_path }}/internal/problem"
)

// Routes serves profiles for "go tool pprof", the counters of expvar, and the probes, for a platform that should not
// depend on the connections of PORT. It does not import net/http/pprof, which would
// make the binary 5 % larger, but has some of its paths. A CPU profile ends early when ctx is done.
func Routes(ctx context.Context, readiness *health.Readiness{% if cookiecutter.rpc != "none" %}, services func() []string{% endif %}) http.Handler {
	mux := http.NewServeMux()
	health.Routes(mux, readiness)
{%- if cookiecutter.rpc != "none" %}
	reflection(mux, services)
{%- endif %}
	mux.HandleFunc("GET /debug/pprof/{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "profile (the CPU, for ?seconds=30)")
		for _, p := range pprof.Profiles() {
			fmt.Fprintln(w, p.Name())
		}
	})
	mux.HandleFunc("GET /debug/pprof/profile", func(w http.ResponseWriter, r *http.Request) {
		cpuProfile(w, r, ctx.Done())
	})
	mux.HandleFunc("GET /debug/pprof/{name}", profile)
	mux.Handle("GET /debug/vars", expvar.Handler())
	mux.HandleFunc("/", problem.Unmatched(mux))
	return mux
}

// profile responds with the named profile. With ?debug=1 or 2 it is text.
func profile(w http.ResponseWriter, r *http.Request) {
	p := pprof.Lookup(r.PathValue("name"))
	if p == nil {
		problem.Write(w, r, http.StatusNotFound, "There is no such profile; /debug/pprof/ lists them.")
		return
	}
	debug, _ := strconv.Atoi(r.URL.Query().Get("debug"))
	_ = p.WriteTo(w, debug)
}

// cpuProfile profiles the CPU for ?seconds, 30 by default. It ends early when the client leaves or stopping is closed.
func cpuProfile(w http.ResponseWriter, r *http.Request, stopping <-chan struct{}) {
	seconds, err := strconv.ParseUint(r.URL.Query().Get("seconds"), 10, 16)
	if err != nil || seconds == 0 {
		seconds = 30
	}
	duration := time.Duration(seconds) * time.Second
	// WRITE_TIMEOUT may be shorter than the profile.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(duration + time.Minute))
	if err := pprof.StartCPUProfile(w); err != nil {
		problem.Write(w, r, http.StatusConflict, "The CPU is being profiled already.")
		return
	}
	defer pprof.StopCPUProfile()
	select {
	case <-time.After(duration):
	case <-r.Context().Done():
	case <-stopping:
	}
}
