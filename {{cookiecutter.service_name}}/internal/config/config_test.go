package config

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"
)

func lookupIn(set map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := set[name]
		return value, ok
	}
}

func TestDefaultsAreAccepted(t *testing.T) {
	t.Parallel()
	cfg, err := Load(lookupIn(nil))
	if err != nil {
		t.Fatalf("Load() without variables: %v", err)
	}
	if got, want := cfg.ShutdownTimeout, 20*time.Second; got != want {
		t.Errorf("ShutdownTimeout = %s, want %s", got, want)
	}
}

func TestLoadReadsVariables(t *testing.T) {
	t.Parallel()
	cfg, err := Load(lookupIn(map[string]string{
		"PORT": "0", "ADMIN_ADDR": "", "LOG_LEVEL": "WARN", "LOG_FORMAT": "text", "SHUTDOWN_DELAY": "1m30s",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Port != 0 || cfg.AdminAddr != "" || cfg.LogLevel != slog.LevelWarn || cfg.LogFormat != "text" || cfg.ShutdownDelay != 90*time.Second {
		t.Errorf("Load() = %+v", cfg)
	}
}

func TestLoadReportsEveryBadVariableAtOnce(t *testing.T) {
	t.Parallel()
	bad := map[string]string{
		"PORT":                "65536",
		"ADMIN_ADDR":          "localhost",
		"LOG_LEVEL":           "loud",
		"LOG_FORMAT":          "",
		"READ_HEADER_TIMEOUT": " 5s",
		"READ_TIMEOUT":        "10",
		"WRITE_TIMEOUT":       "0s",
		"IDLE_TIMEOUT":        "0",
		"MAX_HEADER_BYTES":    "+4096",
		"MAX_HEADER_COUNT":    "501",
		"MAX_BODY_BYTES":      "١٢",
		"MAX_IN_FLIGHT":       "-1",
		"SHUTDOWN_DELAY":      "-1ns",
		"SHUTDOWN_TIMEOUT":    "-5s",
	}
	_, err := Load(lookupIn(bad))
	if err == nil {
		t.Fatal("Load() accepts them")
	}
	lines := strings.Split(err.Error(), "\n")
	if got, want := len(lines), len(bad); got != want {
		t.Errorf("%d lines, want %d:\n%v", got, want, err)
	}
	for _, line := range lines {
		name, rest, _ := strings.Cut(line, "=")
		if _, ok := bad[name]; !ok || !strings.Contains(rest, "must be ") {
			t.Errorf("line %q, want name=value: must be ...", line)
		}
	}
}

func TestLoadMasksSecrets(t *testing.T) {
	t.Parallel()
	var token string
	secret := oneOf(&token, "right")
	secret.secret = true
	err := load([]variable{
		{"TOKEN", "", "what lets clients in", secret},
	}, lookupIn(map[string]string{"TOKEN": "hunter2"}))
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "TOKEN=***") {
		t.Errorf("load() = %v, want an error with TOKEN=*** and without its value", err)
	}
}

func TestREADMEHasEveryVariable(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range new(Config).variables() {
		row := fmt.Sprintf("| `%s` | `%s` | %s |\n", v.name, v.fallback, v.meaning)
		if row = strings.ReplaceAll(row, "| `` |", "| |"); !strings.Contains(string(readme), row) {
			t.Errorf("README.md lacks the row %s", row)
		}
	}
}
