"""What teams do to their services."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tests.support.repository import commit

Change = Callable[[Path], None]


def replace(file: Path, old: str, new: str) -> None:
    """Replace the one place where a file has a text."""
    text = file.read_text()
    assert text.count(old) == 1, f"{file} has {old!r} {text.count(old)} times"
    file.write_text(text.replace(old, new))


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def module_of(service: Path) -> str:
    found = re.search(r"^module (\S+)", (service / "go.mod").read_text(), re.MULTILINE)
    assert found
    return found[1]


def add_routes(service: Path, *lines: str) -> None:
    """Add lines to the routes of a service."""
    first = "\n\tr.Handle("
    replace(service / "internal/api/routes.go", first, "".join(f"\n\t{line}" for line in lines) + first)


def own_routes(service: Path) -> None:
    """Two routes with options, behind a middleware: handlers with their test, a line each, their description."""
    write(service / "internal/api/orders.go", ORDERS)
    write(service / "internal/api/orders_test.go", ORDERS_TEST)
    add_routes(
        service,
        "shop := r.With(nameShop)",
        'shop.Handle("GET /v1/orders/{id}", s.order, MaxBody(0))',
        'shop.Handle("DELETE /v1/orders/{id}", s.forget, Timeout(time.Minute))',
    )
    replace(service / "internal/api/routes.go", "package api\n", 'package api\n\nimport "time"\n')
    replace(service / "internal/api/openapi.yaml", "\npaths:\n", "\npaths:\n" + ORDERS_PATH)


def own_state(service: Path) -> None:
    """What the handlers stand on: opened, asked, worked with, closed."""
    write(service / "internal/api/service.go", SERVICE)
    write(service / "internal/api/till_test.go", TILL_TEST)


def own_settings(service: Path) -> None:
    """Settings, one of them required, with a value for tests and one for developers."""
    write(service / "internal/config/service.go", SETTINGS)
    example = service / ".env.example"
    example.write_text(example.read_text() + "TILL_TOKEN=secret\n")


def own_command(service: Path) -> None:
    """A sub-command, with a test that runs it, and one that starts the whole service."""
    write(service / "commands.go", COMMANDS.replace("MODULE", module_of(service)))
    write(service / "commands_test.go", COMMANDS_TEST)


def own_dependency(service: Path) -> None:
    """A module, required where "go get" writes it. It lies in a folder, so that nothing is downloaded."""
    with (service / "go.mod").open("a") as file:
        file.write(f"\nreplace money.example => ./third_party/money\n\nrequire money.example {NO_VERSION}\n")
    write(service / "third_party/money/go.mod", "module money.example\n\ngo 1.27\n")
    write(service / "third_party/money/money.go", MONEY)
    write(service / "internal/price/price.go", PRICE)


NO_VERSION = "v0.0.0-00010101000000-000000000000"


def own_exception(service: Path) -> None:
    """An exception for the linters, at the end of their file."""
    linters = service / ".golangci.yml"
    linters.write_text(linters.read_text() + "      - path: internal/stock\n        linters: [perfsprint]\n")


def own_ignored_files(service: Path) -> None:
    """Files that git ignores, at the end of the list."""
    ignored = service / ".gitignore"
    ignored.write_text(ignored.read_text() + "/till.db\n")


def own_package(service: Path) -> None:
    """A package of the team's own, and a command beside internal/, which the image's build must see."""
    write(service / "internal/stock/stock.go", STOCK)
    write(service / "internal/stock/stock_test.go", STOCK_TEST.replace("MODULE", module_of(service)))
    write(service / "cmd/migrate/main.go", MIGRATE.replace("MODULE", module_of(service)))
    replace(service / ".dockerignore", "!internal\n", "!internal\n!cmd\n")


def own_make_target(service: Path) -> None:
    write(
        service / "team.mk", "IMAGE = registry.example.com/shop\n\nmigrate: ## move the data\n\tgo run ./cmd/migrate\n"
    )


def own_words(service: Path) -> None:
    """Another README, and owners."""
    write(service / "README.md", "# The till\n\nAsk the shop team in #shop.\n")
    replace(service / "CODEOWNERS", "\n* ", "\n/internal/stock @acme/stock\n* ")


def own_rule(service: Path) -> None:
    """A line in a file of the template's."""
    replace(service / "AGENTS.md", "\n## Rules\n\n", "\n## Rules\n\n- Prices are in cents.\n")


def own_image(service: Path) -> None:
    replace(service / "Dockerfile", "\nWORKDIR /app\n", "\nWORKDIR /app\nENV TZ=Europe/Berlin\n")


def deleted_example(service: Path) -> None:
    """As docs/template.md says: two files, a route and a path."""
    for name in ("greetings.go", "greetings_test.go"):
        (service / "internal/api" / name).unlink()
    replace(service / "internal/api/routes.go", '\tr.Handle("POST /v1/greetings", s.greet)\n', "")
    description = service / "internal/api/openapi.yaml"
    described = re.sub(r"^  /v1/greetings:\n(    .*\n|\n)+", "", description.read_text(), flags=re.MULTILINE)
    description.write_text(described)


def renamed_module(service: Path) -> None:
    """Search and replace everywhere, in a commit of its own, as UPGRADING.md says."""
    old = module_of(service)
    for file in service.rglob("*"):
        if file.is_file() and ".git" not in file.parts:
            file.write_text(file.read_text().replace(old, NEW_MODULE))
    if (service / ".git").exists():
        commit(service, "Move to our own host")


NEW_MODULE = "git.example.com/shop/my-service"


def own_product(service: Path) -> None:
    """A whole URL shortener, in the team's files alone: see tests/support/shortener."""
    deleted_example(service)
    for file in sorted(SHORTENER.rglob("*")):
        if file.is_file() and file.name != "paths.yaml":
            text = file.read_text().replace("github.com/acme/my-service", module_of(service))
            write(service / file.relative_to(SHORTENER), text)
    paths = (SHORTENER / "paths.yaml").read_text()
    replace(service / "internal/api/openapi.yaml", "\npaths:\n", f"\npaths:\n{paths}")


SHORTENER = Path(__file__).with_name("shortener")

EDITS: dict[str, Change] = {
    "own routes": own_routes,
    "own state": own_state,
    "own settings": own_settings,
    "own command": own_command,
    "own dependency": own_dependency,
    "own exception": own_exception,
    "own ignored files": own_ignored_files,
    "own package": own_package,
    "own make target": own_make_target,
    "own words": own_words,
    "own rule": own_rule,
    "own image": own_image,
    "deleted example": deleted_example,
    "renamed module": renamed_module,
    "own product": own_product,
}


def all_edits(service: Path) -> None:
    """All but own_product, which has files of the same names."""
    renamed_module(service)  # in a commit of its own
    for edit in EDITS.values():
        if edit not in {own_product, renamed_module}:
            edit(service)


ORDERS = """package api

import "net/http"

// order answers GET /v1/orders/{id}.
func (s *Service) order(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if id == "none" {
		fail(w, r, ErrNotFound)
		return
	}
	respond(w, http.StatusOK, map[string]string{"id": id})
}

// forget answers DELETE /v1/orders/{id}.
func (s *Service) forget(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusNoContent)
}

// nameShop says which shop answers.
func nameShop(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Shop", "till")
		next.ServeHTTP(w, r)
	})
}
"""

ORDERS_TEST = """package api

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestOrders(t *testing.T) {
	t.Parallel()
	tests := []struct {
		method, id string
		status     int
	}{
		{"GET", "7", http.StatusOK},
		{"GET", "none", http.StatusNotFound},
		{"DELETE", "7", http.StatusNoContent},
	}
	for _, test := range tests {
		recorder := httptest.NewRecorder()
		testHandler(t).ServeHTTP(recorder, httptest.NewRequest(test.method, "/v1/orders/"+test.id, nil))
		if recorder.Code != test.status {
			t.Errorf("%s %s: status %d, want %d", test.method, test.id, recorder.Code, test.status)
		}
		if got := recorder.Header().Get("X-Shop"); got != "till" {
			t.Errorf("%s %s: X-Shop = %q, want till", test.method, test.id, got)
		}
	}
}
"""

ORDERS_PATH = """  /v1/orders/{id}:
    parameters:
      - { name: id, in: path, required: true, schema: { type: string } }
    get:
      operationId: order
      responses:
        "200": { description: The order. }
    delete:
      operationId: forget
      responses:
        "204": { description: Forgotten. }

"""

SERVICE = """// Package api is the till.
package api

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Service is the till.
type Service struct {
	Platform

	mu   sync.Mutex
	open bool
}

// New opens the till.
func New(_ context.Context, platform Platform) (*Service, error) {
	return &Service{Platform: platform, open: true}, nil
}

// Ready returns an error when the till is closed.
func (s *Service) Ready(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open {
		return errors.New("the till is closed")
	}
	return nil
}

// Run counts the money once an hour.
func (s *Service) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Hour):
			s.Logger.Info("counted")
		}
	}
}

// Close closes the till.
func (s *Service) Close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = false
	return nil
}
"""

TILL_TEST = """package api

import "testing"

func TestReadyUntilClosed(t *testing.T) {
	t.Parallel()
	service, err := New(t.Context(), testPlatform(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Ready(t.Context()); err != nil {
		t.Errorf("Ready() = %v", err)
	}
	if err := service.Close(t.Context()); err != nil {
		t.Errorf("Close() = %v", err)
	}
	if err := service.Ready(t.Context()); err == nil {
		t.Error("Ready() = nil after Close(), want an error")
	}
}
"""

SETTINGS = """package config

// Service has the settings of the till.
type Service struct {
	Currency string
	Token    Secret
}

func (s *Service) variables() []variable {
	return []variable{
		{"CURRENCY", "EUR", "what prices are in: EUR or USD", oneOf(&s.Currency, "EUR", "USD")},
		{"TILL_TOKEN", required, "what opens the till", secret(&s.Token)},
	}
}

// ForTests has the variables that tests set.
func ForTests() map[string]string {
	return map[string]string{"TILL_TOKEN": "for tests"}
}
"""

COMMANDS = """package main

import (
	"context"
	"fmt"
	"io"

	"MODULE/internal/api"
)

func commands() map[string]command {
	return map[string]command{
		"count": func(_ context.Context, _ api.Platform, stdout io.Writer, args []string) error {
			_, err := fmt.Fprintln(stdout, len(args))
			return err
		},
	}
}
"""

COMMANDS_TEST = """package main

import (
	"strings"
	"testing"
)

func TestCount(t *testing.T) {
	t.Parallel()
	var stdout strings.Builder
	if status := run(t.Context(), []string{"count", "a", "b"}, env(), &stdout, t.Output()); status != exitOK {
		t.Errorf("exit status %d, want %d", status, exitOK)
	}
	if got := stdout.String(); got != "2\\n" {
		t.Errorf("count prints %q, want 2", got)
	}
}

func TestTillStops(t *testing.T) {
	t.Parallel()
	if status := start(t).stopped(t); status != exitOK {
		t.Errorf("exit status %d, want %d", status, exitOK)
	}
}
"""

MONEY = """// Package money knows how money is written.
package money

import "fmt"

// Format writes an amount.
func Format(cents int) string {
	return fmt.Sprintf("%d.%02d", cents/100, cents%100)
}
"""

PRICE = """// Package price says what things cost.
package price

import "money.example"

// Label is what stands on a thing.
func Label(cents int) string {
	return money.Format(cents) + " EUR"
}
"""

STOCK = """// Package stock knows what there is.
package stock

// Left is how many pieces are left.
func Left(delivered, sold int) int {
	return delivered - sold
}
"""

STOCK_TEST = """package stock_test

import (
	"testing"

	"MODULE/internal/stock"
)

func TestLeft(t *testing.T) {
	t.Parallel()
	if got := stock.Left(5, 2); got != 3 {
		t.Errorf("Left(5, 2) = %d, want 3", got)
	}
}
"""

MIGRATE = """// Command migrate moves the data.
package main

import (
	"fmt"

	"MODULE/internal/stock"
)

func main() {
	fmt.Println(stock.Left(5, 2), "left to move")
}
"""
