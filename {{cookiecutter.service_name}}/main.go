{%- from "text.jinja" import quoted -%}
{%- from "telemetry.jinja" import telemetry with context -%}
{%- set commands = "commands()" if cookiecutter.database == "none" else "allCommands()" -%}
// The service: this file wires its parts together, and nothing else does.
package main

import (
	"context"
{%- if cookiecutter.database != "none" %}
	"errors"
{%- endif %}
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"{{ cookiecutter.module_path }}/internal/admin"
	"{{ cookiecutter.module_path }}/internal/api"
	"{{ cookiecutter.module_path }}/internal/build"
	"{{ cookiecutter.module_path }}/internal/config"
{%- if cookiecutter.database != "none" %}
	"{{ cookiecutter.module_path }}/internal/database"
{%- endif %}
	"{{ cookiecutter.module_path }}/internal/health"
	"{{ cookiecutter.module_path }}/internal/lifecycle"
	"{{ cookiecutter.module_path }}/internal/logging"
	"{{ cookiecutter.module_path }}/internal/middleware"
{%- if cookiecutter.database != "none" %}
	"{{ cookiecutter.module_path }}/internal/queries"
{%- endif %}
	"{{ cookiecutter.module_path }}/internal/requestid"
{%- if cookiecutter.telemetry != "none" %}
	"{{ cookiecutter.module_path }}/internal/telemetry"
{%- endif %}
)

const (
	service     = "{{ cookiecutter.service_name }}"
	description = {{ quoted(cookiecutter.description) }}
)

// Version is set by the build: -ldflags "-X main.Version=1.2.3".
var Version = "dev"

// Exit statuses: a failure is ours, wrong usage is the caller's.
const exitOK, exitFailure, exitUsage = 0, 1, 2

func main() {
	signal.Ignore(syscall.SIGPIPE) // a log reader that went away must not end the service
	os.Exit(run(untilSignal(), os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr, slog.SetDefault))
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

// run is the program apart from its process: it works until ctx is done and returns the exit status. Each function of
// useLogger is given the service's logger: main makes it the default of package slog, tests do not.
func run(
	ctx context.Context, args []string, lookupEnv func(string) (string, bool), stdout, stderr io.Writer,
	useLogger ...func(*slog.Logger),
) int {
	info := build.Read(service, Version)
	cfg, err := config.Load(lookupEnv)
	switch {
	case len(args) == 0 && err != nil:
		return fail(stderr, exitUsage, err)
	case len(args) == 0:
		return serve(ctx, cfg, info, stdout, useLogger...)
	}
	switch strings.Join(args, " ") {
	case "-help", "--help", "-h":
		fmt.Fprintf(stdout, "%s: %s\n\n%s\n\n%s", service, description, usage(), config.Help())
		return exitOK
	case "-version", "--version":
		fmt.Fprintln(stdout, service, info.Version)
		return exitOK
	case "-healthcheck", "--healthcheck": // for a container; Docker knows 0 and 1 and reserves 2
		if err == nil {
			err = health.Check(cfg.Port, cfg.AdminAddr)
		}
		if err != nil {
			return fail(stderr, exitFailure, err)
		}
		return exitOK
	}
	return runCommand(ctx, args, cfg, err, info, stdout, stderr)
}

// command is what "bin/service NAME" does. commands.go has those of this service.
type command func(ctx context.Context, platform api.Platform, stdout io.Writer, args []string) error

{%- if cookiecutter.database != "none" %}

// allCommands adds the command of the database to those of commands.go.
func allCommands() map[string]command {
	all := maps.Clone(commands())
	all["migrate"] = func(ctx context.Context, platform api.Platform, stdout io.Writer, args []string) error {
		return database.Migrate(ctx, platform.Config.Database.URL, stdout, queries.Schema(), args...)
	}
	return all
}
{%- endif %}

// runCommand runs the command that args name. Its log goes to standard error, because its output is for the caller.
func runCommand(
	ctx context.Context, args []string, cfg config.Config, cfgErr error, info build.Info, stdout, stderr io.Writer,
) int {
	command, known := {{ commands }}[args[0]]
	if !known {
		return fail(stderr, exitUsage, fmt.Errorf("%s: unknown arguments: %q\n%s", service, args, usage()))
	}
	if cfgErr != nil {
		return fail(stderr, exitUsage, cfgErr)
	}
	logger := logging.New(stderr, cfg.LogLevel, cfg.LogFormat)
	err := lifecycle.Recovered(func() error {
		return command(ctx, api.Platform{Build: info, Config: cfg, Logger: logger}, stdout, args[1:])
	})
	if err != nil {
		return fail(stderr, exitFailure, fmt.Errorf("%s %s: %w", service, args[0], err))
	}
	return exitOK
}

// usage lists the arguments that the service takes.
func usage() string {
	names := slices.Sorted(maps.Keys({{ commands }}))
	return "usage: service [" + strings.Join(append([]string{"-help", "-version", "-healthcheck"}, names...), " | ") + "]"
}

func fail(stderr io.Writer, status int, err error) int {
	fmt.Fprintln(stderr, err)
	return status
}

// serve answers on PORT and ADMIN_ADDR until ctx is done, then stops everything in order.
func serve(
	ctx context.Context, cfg config.Config, info build.Info, stdout io.Writer, useLogger ...func(*slog.Logger),
) int {
	logger, lines := logging.Start(stdout, cfg.LogLevel, cfg.LogFormat, requestid.Attr
{%- if telemetry.traced %}, telemetry.TraceID, telemetry.SpanID{% endif %})
	defer lines.Flush()
	for _, use := range useLogger {
		use(logger)
	}
{%- if cookiecutter.telemetry != "none" %}
	watched := telemetry.Start(info, logger, lines.Lost)
{%- endif %}
{%- if telemetry.traced %}
	defer watched.Stop()
{%- endif %}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	draining := func() bool { return ctx.Err() != nil }
	readiness := health.NewReadiness(logger, draining)
	platform := api.Platform{Build: info, Config: cfg, Logger: logger}
{%- if cookiecutter.database != "none" %}
	db, err := database.Open(cfg, logger, queries.Schema())
	if err != nil {
		logger.Error("stopped", "error", err)
		return exitFailure
	}
	platform.Database = db
{%- endif %}
	routes := api.NewHandler(platform, readiness)

	err {% if cookiecutter.database == "none" %}:{% endif %}= lifecycle.Run(ctx, stop, lifecycle.Parts{
		Config:  cfg,
		Logger:  logger,
		Version: info.Version,
		Main: middleware.Chain(routes,
			middleware.BelieveProxies(cfg.TrustedProxies),
			middleware.Observe(logger, draining{% if cookiecutter.telemetry != "none" %}, watched.Observers...{% endif %}),
			middleware.RefuseOtherTargets,
			middleware.AllowOrigins(cfg.TrustedOrigins),
		),
		Others: []lifecycle.Listener{
			{Variable: "ADMIN_ADDR", Address: cfg.AdminAddr, Handler: middleware.Chain(admin.Routes(ctx, readiness{% if cookiecutter.rpc != "none" %}, routes.Services{% endif %}),
				middleware.Observe(logger, draining),
				middleware.RefuseOtherTargets,
				middleware.RefuseOtherHosts,
			)},
{%- if telemetry.scraped %}
			{Variable: "METRICS_ADDR", Address: cfg.MetricsAddr, Handler: watched.Metrics},
{%- endif %}
		},
		Open: func(ctx context.Context) (lifecycle.Service, error) { return routes.Open(ctx) },
	})
{%- if cookiecutter.database != "none" %}
	err = errors.Join(err, db.Close())
{%- endif %}
	if err != nil {
		logger.Error("stopped", "error", err)
		return exitFailure
	}
	logger.Info("stopped")
	return exitOK
}
