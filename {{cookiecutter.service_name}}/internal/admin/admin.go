// Package admin is what operators see of the process on ADMIN_ADDR, out of reach of its clients.
package admin

import (
	"context"
	"expvar"
	"fmt"
	"net/http"
	"runtime/pprof"
	"strconv"
	"time"

	"{{ cookiecutter.module_path }}/internal/problem"
)

// Routes serves profiles for "go tool pprof" and the counters of the runtime. The paths are some of net/http/pprof,
// which is not used because it adds a twentieth to the size of the binary. A profile ends early when ctx does.
func Routes(ctx context.Context) http.Handler {
	mux := http.NewServeMux()
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

// profile answers with a profile by name, as text where the query has debug=1 or 2.
func profile(w http.ResponseWriter, r *http.Request) {
	p := pprof.Lookup(r.PathValue("name"))
	if p == nil {
		problem.Write(w, r, http.StatusNotFound, "There is no such profile; /debug/pprof/ lists them.")
		return
	}
	debug, _ := strconv.Atoi(r.URL.Query().Get("debug"))
	_ = p.WriteTo(w, debug)
}

// cpuProfile answers with what the CPU did in the next seconds, as many as the query says, or until stopping.
func cpuProfile(w http.ResponseWriter, r *http.Request, stopping <-chan struct{}) {
	seconds, err := strconv.ParseUint(r.URL.Query().Get("seconds"), 10, 16)
	if err != nil || seconds == 0 {
		seconds = 30
	}
	duration := time.Duration(seconds) * time.Second
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(duration + time.Minute)) // past WRITE_TIMEOUT
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
