package config

import (
	"encoding/json/v2"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
	cfg, err := Load(lookupIn(ForTests()))
	if err != nil {
		t.Fatalf("Load() with the variables of ForTests: %v", err)
	}
	if got, want := cfg.ShutdownTimeout, 20*time.Second; got != want {
		t.Errorf("ShutdownTimeout = %s, want %s", got, want)
	}
}

func TestRequestTimeoutLeavesTimeToRespond(t *testing.T) {
	t.Parallel()
	set := ForTests()
	set["WRITE_TIMEOUT"] = "8s"
	cfg, _ := Load(lookupIn(set))
	if got, want := cfg.RequestTimeout, 6*time.Second; got != want {
		t.Errorf("RequestTimeout = %s with WRITE_TIMEOUT=8s, want %s", got, want)
	}
}

func TestLoadReadsVariables(t *testing.T) {
	t.Parallel()
	set := ForTests()
	maps.Copy(set, map[string]string{
		"PORT": "0", "ADMIN_ADDR": "", "LOG_LEVEL": "WARN", "LOG_FORMAT": "text", "SHUTDOWN_DELAY": "1m30s",
		"TRUSTED_ORIGINS": "https://a.example, https://b.example:8443", "TRUSTED_PROXIES": "10.0.0.0/8,::1/128",
	})
	cfg, err := Load(lookupIn(set))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Port != 0 || cfg.AdminAddr != "" || cfg.LogLevel != slog.LevelWarn || cfg.LogFormat != "text" ||
		cfg.ShutdownDelay != 90*time.Second || len(cfg.TrustedOrigins) != 2 || cfg.TrustedProxies[1].String() != "::1/128" {
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
		"REQUEST_TIMEOUT":     "0s",
		"MAX_CONNECTIONS":     "0",
		"MAX_IN_FLIGHT":       "-1",
		"MAX_STREAMS":         "many",
		"TRUSTED_ORIGINS":     "https://app.example.com/path",
		"TRUSTED_PROXIES":     "10.0.0.1,",
		"SHUTDOWN_DELAY":      "-1ns",
		"SHUTDOWN_TIMEOUT":    "-5s",
	}
	set := ForTests()
	maps.Copy(set, bad)
	_, err := Load(lookupIn(set))
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

// own are settings as a team may have them.
type own struct {
	Greeting string
	Loud     bool
	Tags     []string
	Upstream url.URL
	Token    Secret
}

func (o *own) variables() []variable {
	return []variable{
		{"GREETING", required, "how a greeting begins", text(&o.Greeting)},
		{"LOUD", "false", "whether it shouts", truth(&o.Loud)},
		{"TAGS", "a,b", "labels", list(&o.Tags)},
		{"UPSTREAM", required, "the other service", address(&o.Upstream)},
		{"TOKEN", required, "token for the other service", secret(&o.Token)},
		{"SPARE", "", "another token, if there is one", secret(new(Secret))},
	}
}

func TestOwnSettings(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	set := map[string]string{"GREETING": "Hi", "LOUD": "true", "UPSTREAM": "https://up.example/x", "TOKEN_FILE": file}
	var o own
	if err := load(o.variables(), lookupIn(set)); err != nil {
		t.Fatal(err)
	}
	if o.Greeting != "Hi" || !o.Loud || len(o.Tags) != 2 || o.Upstream.Host != "up.example" || o.Token.Reveal() != "hunter2" {
		t.Errorf("load() = %+v with token %q", o, o.Token.Reveal())
	}
}

func TestBadSettingsAreNamedAndSecretsAreMasked(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		set  map[string]string
		want []string
	}{
		{"nothing set", nil, []string{"GREETING is not set", "UPSTREAM is not set", "TOKEN is not set: must be a secret, or TOKEN_FILE"}},
		{"bad values", map[string]string{"GREETING": "", "LOUD": "yes", "TAGS": "a,,b", "UPSTREAM": "up", "TOKEN": ""},
			[]string{`GREETING="": must be`, `LOUD="yes": must be true or false`, `TAGS="a,,b"`, `UPSTREAM="up"`, "TOKEN=***"}},
		{"no such file", map[string]string{"TOKEN_FILE": "/nothing/here"}, []string{"TOKEN_FILE: open /nothing/here"}},
		{"both", map[string]string{"TOKEN": "hunter2", "TOKEN_FILE": "x"}, []string{"TOKEN and TOKEN_FILE are both set"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := fmt.Sprint(load(new(own).variables(), lookupIn(test.set)))
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("load() = %s\nwant it to have %q", got, want)
				}
			}
			if strings.Contains(got, "hunter2") {
				t.Errorf("load() = %s, which shows the secret", got)
			}
		})
	}
}

func TestSecretIsNotShown(t *testing.T) {
	t.Parallel()
	secret := NewSecret("hunter2")
	holder := struct{ hidden Secret }{secret}
	body, _ := json.Marshal(map[string]any{"token": secret})
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "token", secret, "cfg", Config{}, "holder", holder)
	shown := fmt.Sprintf("%v %+v %#v %s %q %x %d %v %+v", secret, secret, secret, secret, secret, secret, secret, holder, &holder)
	for _, text := range []string{shown, string(body), log.String(), fmt.Sprint(fmt.Errorf("bad %v", secret))} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "68756e74657232") {
			t.Errorf("the secret is shown: %s", text)
		}
	}
}

func TestTheDocumentedVariablesAreTheRealOnes(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range new(Config).variables() {
		row := fmt.Sprintf("| `%s` | `%s` | %s |\n", v.name, v.fallback, v.meaning)
		if row = strings.ReplaceAll(row, "| `` |", "| |"); !strings.Contains(string(page), row) {
			t.Errorf("docs/operations.md lacks the row %s", row)
		}
	}
}

func TestExampleOfTheEnvironmentHasKnownVariablesAndEveryRequiredOne(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile("../../.env.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(`(?m)^#? ?([A-Z0-9_]+)=`).FindAllSubmatch(example, -1) {
		known := slices.ContainsFunc(new(Config).all(), func(v variable) bool { return v.name == string(match[1]) })
		if !known {
			t.Errorf(".env.example has %s, which is no variable of this service", match[1])
		}
	}
	for _, v := range new(Config).all() {
		if v.fallback == required && !strings.Contains("\n"+string(example), "\n"+v.name+"=") {
			t.Errorf(".env.example lacks %s, which is required", v.name)
		}
	}
}
