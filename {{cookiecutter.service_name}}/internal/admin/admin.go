// Package admin is what operators see of the process on ADMIN_ADDR, out of reach of its clients.
package admin

import (
	"expvar"
	"fmt"
	"net/http"
	"runtime/pprof"
	"strconv"
	"time"

	"{{ cookiecutter.module_path }}/internal/problem"
)

const defaultSeconds = 30

// Routes serves profiles for "go tool pprof" and the counters of the runtime. The paths are those of net/http/pprof,
// which is not used because it adds a twentieth to the size of the binary.
func Routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/{$}", index)
	mux.HandleFunc("GET /debug/pprof/profile", cpuProfile)
	mux.HandleFunc("GET /debug/pprof/{name}", profile)
	mux.Handle("GET /debug/vars", expvar.Handler())
	return mux
}

// index lists the profiles that there are.
func index(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintf(w, "profile (the CPU, for ?seconds=%d)\n", defaultSeconds)
	for _, p := range pprof.Profiles() {
		fmt.Fprintf(w, "%s (%d)\n", p.Name(), p.Count())
	}
}

// profile answers with a profile by name, as text where the query has debug=1 or 2.
func profile(w http.ResponseWriter, r *http.Request) {
	p := pprof.Lookup(r.PathValue("name"))
	if p == nil {
		problem.Write(w, r, http.StatusNotFound, "There is no such profile; /debug/pprof/ lists them.")
		return
	}
	debug, _ := strconv.Atoi(r.URL.Query().Get("debug"))
	if debug > 0 {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	_ = p.WriteTo(w, debug)
}

// cpuProfile answers with what the CPU did in the next seconds, as many as the query says.
func cpuProfile(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.ParseUint(r.URL.Query().Get("seconds"), 10, 16)
	if err != nil || seconds == 0 {
		seconds = defaultSeconds
	}
	if err := pprof.StartCPUProfile(w); err != nil {
		problem.Write(w, r, http.StatusConflict, "The CPU is being profiled already.")
		return
	}
	defer pprof.StopCPUProfile()
	select {
	case <-time.After(time.Duration(seconds) * time.Second):
	case <-r.Context().Done():
	}
}
