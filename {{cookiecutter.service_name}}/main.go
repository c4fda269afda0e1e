{%- from "text.jinja" import quoted -%}
// The service: this file wires its parts together, and nothing else does.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"{{ cookiecutter.module_path }}/internal/admin"
	"{{ cookiecutter.module_path }}/internal/api"
	"{{ cookiecutter.module_path }}/internal/build"
	"{{ cookiecutter.module_path }}/internal/config"
	"{{ cookiecutter.module_path }}/internal/health"
	"{{ cookiecutter.module_path }}/internal/httpserver"
	"{{ cookiecutter.module_path }}/internal/logging"
	"{{ cookiecutter.module_path }}/internal/middleware"
)

const (
	service     = "{{ cookiecutter.service_name }}"
	description = {{ quoted(cookiecutter.description) }}
	usage       = "usage: service [-help | -version | -healthcheck]"
)

// Version is set by the build: -ldflags "-X main.Version=1.2.3".
var Version = "dev"

// Exit statuses: a failure is ours, wrong usage is the caller's.
const exitOK, exitFailure, exitUsage = 0, 1, 2

func main() {
	signal.Ignore(syscall.SIGPIPE) // a log reader that went away must not end the service
	os.Exit(run(untilSignal(), os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr))
}

// untilSignal returns a context that the first SIGINT or SIGTERM ends. A second one ends the process at once, however
// soon it comes, which signal.NotifyContext cannot promise.
func untilSignal() context.Context {
	ctx, end := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		end(fmt.Errorf("received %s", <-signals))
		<-signals
		os.Exit(exitFailure)
	}()
	return ctx
}

// run is the program apart from its process: it works until ctx is done and returns the exit status.
func run(ctx context.Context, args []string, lookupEnv func(string) (string, bool), stdout, stderr io.Writer) int {
	info := build.Read(service, Version)
	cfg, err := config.Load(lookupEnv)
	switch {
	case len(args) == 0 && err != nil:
		return fail(stderr, exitUsage, err)
	case len(args) == 0:
		return serve(ctx, cfg, info, stdout, stderr)
	}
	switch strings.Join(args, " ") {
	case "-help", "--help", "-h":
		fmt.Fprintf(stdout, "%s: %s\n\n%s\n\n%s", service, description, usage, config.Help())
		return exitOK
	case "-version", "--version":
		fmt.Fprintln(stdout, service, info.Version)
		return exitOK
	case "-healthcheck", "--healthcheck": // for a container; Docker knows 0 and 1 and reserves 2
		if err == nil {
			err = health.Check(cfg.Port)
		}
		if err != nil {
			return fail(stderr, exitFailure, err)
		}
		return exitOK
	default:
		return fail(stderr, exitUsage, fmt.Errorf("%s: unknown arguments: %q\n%s", service, args, usage))
	}
}

func fail(stderr io.Writer, status int, err error) int {
	fmt.Fprintln(stderr, err)
	return status
}

// serve answers on PORT and ADMIN_ADDR until ctx is done, then drains both.
func serve(ctx context.Context, cfg config.Config, info build.Info, stdout, stderr io.Writer) int {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	draining := func() bool { return ctx.Err() != nil }
	logger, flush := logging.Start(stdout, cfg.LogLevel, cfg.LogFormat)
	defer flush()
	slog.SetDefault(logger) // so that a handler can log with slog.ErrorContext(r.Context(), ...)

	handler := middleware.Chain(api.Handler(info, draining),
		middleware.Observe(logger, draining),
		middleware.RefuseOtherTargets,
		middleware.LimitInFlight(cfg.MaxInFlight),
		middleware.RefuseCrossOrigin(),
		middleware.LimitBody(cfg.MaxBodyBytes),
		middleware.NoteRoute,
	)
	server, err := httpserver.Listen("PORT", fmt.Sprintf(":%d", cfg.Port), handler, cfg, logger)
	if err != nil {
		return fail(stderr, exitFailure, fmt.Errorf("%s: %w", service, err))
	}
	servers := []*httpserver.Server{server}
	if cfg.AdminAddr != "" {
		handler := middleware.Chain(admin.Routes(ctx),
			middleware.Observe(logger, draining),
			middleware.RefuseOtherTargets,
			middleware.NoteRoute,
		)
		server, err := httpserver.Listen("ADMIN_ADDR", cfg.AdminAddr, handler, cfg, logger)
		if err != nil {
			return fail(stderr, exitFailure, fmt.Errorf("%s: %w", service, err))
		}
		servers = append(servers, server)
	}
	for _, server := range servers {
		logger.Info("listening", "address", server.Addr, "variable", server.Variable, "version", info.Version)
	}

	errs := make([]error, len(servers))
	var running sync.WaitGroup
	for i, server := range servers {
		running.Go(func() {
			errs[i] = server.Serve(ctx)
			stop(errs[i]) // one that fails takes the other along
		})
	}
	running.Wait()
	if err := errors.Join(errs...); err != nil {
		logger.Error("stopped", "error", err)
		return exitFailure
	}
	logger.Info("stopped")
	return exitOK
}
