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
    return (service / "go.mod").read_text().split()[1]


def own_routes(service: Path) -> None:
    """Two routes, as the README says: handlers with their test, a line each, their description."""
    write(service / "internal/api/orders.go", ORDERS)
    write(service / "internal/api/orders_test.go", ORDERS_TEST)
    routes = service / "internal/api/routes.go"
    lines = '\tmux.HandleFunc("GET /v1/orders/{id}", order)\n\tmux.HandleFunc("DELETE /v1/orders/{id}", forget)\n'
    replace(routes, "\n}\n", "\n" + lines + "}\n")
    replace(service / "internal/api/openapi.yaml", "\npaths:\n", "\npaths:\n" + ORDERS_PATH)


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
    """Another README: an introduction, a new section, changed rows."""
    readme = service / "README.md"
    replace(readme, "\n## Run\n", "\nAsk the shop team in #shop.\n\n## Who calls it\n\nThe till.\n\n## Run\n")
    replace(readme, "| `POST /v1/greetings` | the example |\n", "| `POST /v1/greetings` | our first steps |\n")
    replace(readme, "`make` alone lists all commands.", "`make` alone lists them all.")
    replace(service / "AGENTS.md", "\n## Rules\n\n", "\n## Rules\n\n- Prices are in cents.\n")
    replace(service / "CODEOWNERS", "\n* ", "\n/internal/stock @acme/stock\n* ")


def own_setting(service: Path) -> None:
    """A setting at the end of the others, with its row in the README."""
    config = service / "internal/config/config.go"
    replace(config, "\tShutdownTimeout time.Duration\n", "\tShutdownTimeout time.Duration\n\n\tCurrency string\n")
    stop = re.search(r"\t\t\{\"SHUTDOWN_TIMEOUT\".*\n", config.read_text())
    row = re.search(r"\| `SHUTDOWN_TIMEOUT` .*\n", (service / "README.md").read_text())
    assert stop
    assert row
    line = '\t\t{"CURRENCY", "EUR", "what prices are in: EUR or USD", oneOf(&c.Currency, "EUR", "USD")},\n'
    replace(config, stop[0], stop[0] + line)
    replace(service / "README.md", row[0], row[0] + "| `CURRENCY` | `EUR` | what prices are in: EUR or USD |\n")


def own_image(service: Path) -> None:
    replace(service / "Dockerfile", "\nWORKDIR /app\n", "\nWORKDIR /app\nENV TZ=Europe/Berlin\n")


def own_middleware(service: Path) -> None:
    """A middleware in the chain of main.go, with a test that starts the service as main_test.go does."""
    write(service / "shop.go", SHOP)
    write(service / "shop_test.go", SHOP_TEST)
    chain = "\t\tmiddleware.LimitBody(cfg.MaxBodyBytes),\n"
    replace(service / "main.go", chain, f"{chain}\t\tnameShop,\n")


def deleted_example(service: Path) -> None:
    """As the README says: two files, a route, a path, and the lines of the README about them."""
    for name in ("greetings.go", "greetings_test.go"):
        (service / "internal/api" / name).unlink()
    replace(service / "internal/api/routes.go", '\tmux.HandleFunc("POST /v1/greetings", greet)\n', "")
    description = service / "internal/api/openapi.yaml"
    described = re.sub(r"^  /v1/greetings:\n(    .*\n|\n)+", "", description.read_text(), flags=re.MULTILINE)
    description.write_text(described)
    readme = service / "README.md"
    kept = [line for line in readme.read_text().splitlines(keepends=True) if "/v1/greetings" not in line]
    readme.write_text("".join(kept))


def renamed_module(service: Path) -> None:
    """Search and replace everywhere, in a commit of its own, as UPGRADING.md says."""
    old = module_of(service)
    for file in service.rglob("*"):
        if file.is_file() and ".git" not in file.parts:
            file.write_text(file.read_text().replace(old, NEW_MODULE))
    if (service / ".git").exists():
        commit(service, "Move to our own host")


NEW_MODULE = "git.example.com/shop/my-service"

EDITS: dict[str, Change] = {
    "own routes": own_routes,
    "own package": own_package,
    "own make target": own_make_target,
    "own words": own_words,
    "own setting": own_setting,
    "own image": own_image,
    "own middleware": own_middleware,
    "deleted example": deleted_example,
    "renamed module": renamed_module,
}


def all_edits(service: Path) -> None:
    renamed_module(service)  # in a commit of its own
    own_words(service)  # before deleted_example, because it edits a row about the example
    for edit in EDITS.values():
        if edit not in {own_words, renamed_module}:
            edit(service)


ORDERS = """package api

import "net/http"

func order(w http.ResponseWriter, r *http.Request) {
	respond(w, http.StatusOK, map[string]string{"id": r.PathValue("id")})
}

func forget(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusNoContent)
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
	for method, status := range map[string]int{"GET": http.StatusOK, "DELETE": http.StatusNoContent} {
		recorder := httptest.NewRecorder()
		testHandler().ServeHTTP(recorder, httptest.NewRequest(method, "/v1/orders/7", nil))
		if recorder.Code != status {
			t.Errorf("%s answers %d, want %d", method, recorder.Code, status)
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

SHOP = """package main

import "net/http"

// nameShop says which shop answers.
func nameShop(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Shop", "till")
		next.ServeHTTP(w, r)
	})
}
"""

SHOP_TEST = """package main

import "testing"

func TestShopStops(t *testing.T) {
	t.Parallel()
	if status := start(t).stopped(t); status != exitOK {
		t.Errorf("exit status %d, want %d", status, exitOK)
	}
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
