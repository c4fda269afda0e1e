"""What teams have done to services of 1.0, and what they do by hand when they update to 2.0, as UPGRADING.md says."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.team_edits import (
    ORDERS_PATH,
    Change,
    module_of,
    own_dependency,
    own_ignored_files,
    own_image,
    own_make_target,
    own_package,
    renamed_module,
    replace,
    write,
)


def own_routes(service: Path) -> None:
    """Three routes, as the README says: handlers with their test, a line each, their description."""
    write(service / "internal/api/orders.go", ORDERS.replace("MODULE", module_of(service)))
    write(service / "internal/api/orders_test.go", ORDERS_TEST)
    routes = service / "internal/api/routes.go"
    lines = "".join(f'\tmux.HandleFunc("{route}", {handler})\n' for route, handler in ROUTES.items())
    replace(routes, "\n}\n", f"\n{lines}}}\n")
    replace(service / "internal/api/openapi.yaml", "\npaths:\n", f"\npaths:\n{TAKE_PATH}{ORDERS_PATH}")


ROUTES = {"POST /v1/orders": "take", "GET /v1/orders/{id}": "order", "DELETE /v1/orders/{id}": "forget"}


def own_state(service: Path) -> None:
    """What the handlers share: main.go opens and closes it, and hands it to the routes."""
    api = service / "internal/api"
    write(api / "book.go", BOOK)
    replace(service / "main.go", "\thandler := middleware.Chain(api.Handler(info, draining),\n", OPEN_BOOK)
    replace(
        api / "handler.go", "draining func() bool) http.Handler {", "draining func() bool, book *Book) http.Handler {"
    )
    replace(api / "handler.go", "\troutes(mux)\n", "\troutes(mux, book)\n")
    head = "func routes(mux *http.ServeMux"
    line = '\tmux.HandleFunc("GET /v1/book", book.show)\n'
    replace(api / "routes.go", f"{head}) {{\n", f"{head}, book *Book) {{\n{line}")
    replace(api / "handler_test.go", "func() bool { return false })\n", "func() bool { return false }, OpenBook())\n")
    replace(api / "openapi.yaml", "\npaths:\n", f"\npaths:\n{BOOK_PATH}")


def own_exception(service: Path) -> None:
    """An exception for the linters, after those of the template."""
    last = "        text: parameter 'mux' seems to be unused\n"
    own = "      - path: internal/stock\n        linters: [perfsprint]\n"
    replace(service / ".golangci.yml", last, last + own)


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


EDITS: dict[str, Change] = {
    "own routes": own_routes,
    "own state": own_state,
    "own package": own_package,
    "own dependency": own_dependency,
    "own exception": own_exception,
    "own ignored files": own_ignored_files,
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


def move_routes(service: Path) -> None:
    for route, handler in ROUTES.items():
        first_in_routes(service, f'r.Handle("{route}", {handler})')
    replace(service / "internal/api/orders_test.go", "testHandler()", "testHandler(t)")


def first_in_routes(service: Path, line: str) -> None:
    head = "func (s *Service) routes(r *Router) {\n"
    replace(service / "internal/api/routes.go", head, f"{head}\t{line}\n")


def move_state(service: Path) -> None:
    file = service / "internal/api/service.go"
    replace(file, "\tPlatform\n}", "\tPlatform\n\n\tbook *Book\n}")
    replace(file, "&Service{Platform: platform}", "&Service{Platform: platform, book: OpenBook()}")
    replace(
        file, "Close(context.Context) error { return nil }", "Close(context.Context) error { return s.book.Close() }"
    )
    first_in_routes(service, 'r.Handle("GET /v1/book", s.book.show)')


def move_dependency(service: Path) -> None:
    """The lines that a team required stand below `module`."""
    own_dependency(service)


def move_exception(service: Path) -> None:
    linters = service / ".golangci.yml"
    linters.write_text(linters.read_text() + "      - path: internal/stock\n        linters: [perfsprint]\n")


def move_setting(service: Path) -> None:
    settings = service / "internal/config/service.go"
    replace(settings, "type Service struct{}", "type Service struct {\n\tCurrency string\n}")
    line = '{"CURRENCY", "EUR", "what prices are in: EUR or USD", oneOf(&s.Currency, "EUR", "USD")},'
    replace(settings, "\treturn nil\n", f"\treturn []variable{{\n\t\t{line}\n\t}}\n")


def move_middleware(service: Path) -> None:
    file = service / "shop.go"
    write(service / "internal/api/shop.go", file.read_text().replace("package main", "package api"))
    file.unlink()
    first_in_routes(service, "r = r.With(nameShop)")


def delete_route_of_the_example(service: Path) -> None:
    replace(service / "internal/api/routes.go", '\tr.Handle("POST /v1/greetings", s.greet)\n', "")


BY_HAND: dict[str, Change] = {
    "own routes": move_routes,
    "own state": move_state,
    "own dependency": move_dependency,
    "own exception": move_exception,
    "own ignored files": own_ignored_files,  # the same line again
    "own setting": move_setting,
    "own middleware": move_middleware,
    "deleted example": delete_route_of_the_example,
}


def all_by_hand(service: Path) -> None:
    for step in BY_HAND.values():
        step(service)


ORDERS = """package api

import (
	"log/slog"
	"net/http"

	"MODULE/internal/problem"
)

type newOrder struct {
	Item string `json:"item"`
}

func take(w http.ResponseWriter, r *http.Request) {
	request, ok := decode[newOrder](w, r)
	if !ok {
		return
	}
	if request.Item == "" {
		field := problem.Field{Pointer: "#/item", Detail: "is empty"}
		problem.Write(w, r, http.StatusUnprocessableEntity, "It has no item.", field)
		return
	}
	slog.InfoContext(r.Context(), "taken", "item", request.Item)
	respond(w, http.StatusCreated, request)
}

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
	"strings"
	"testing"
)

func TestOrders(t *testing.T) {
	t.Parallel()
	tests := []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/v1/orders", `{"item":"tea"}`, http.StatusCreated},
		{"POST", "/v1/orders", `{"item":""}`, http.StatusUnprocessableEntity},
		{"POST", "/v1/orders", `{"item":`, http.StatusBadRequest},
		{"GET", "/v1/orders/7", "", http.StatusOK},
		{"DELETE", "/v1/orders/7", "", http.StatusNoContent},
	}
	handler := testHandler()
	for _, test := range tests {
		r := httptest.NewRequest(test.method, test.path, strings.NewReader(test.body))
		r.Header.Set("Content-Type", "application/json")
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, r)
		if recorder.Code != test.status {
			t.Errorf("%s %s answers %d, want %d", test.method, test.body, recorder.Code, test.status)
		}
	}
}
"""

TAKE_PATH = """  /v1/orders:
    post:
      operationId: take
      responses:
        "201": { description: The order. }
"""

OPEN_BOOK = """\
	book := api.OpenBook()
	defer func() { _ = book.Close() }()
	handler := middleware.Chain(api.Handler(info, draining, book),
"""

BOOK = """package api

import (
	"net/http"
	"sync/atomic"
)

// Book counts its readers.
type Book struct{ readers atomic.Int64 }

// OpenBook opens the book.
func OpenBook() *Book { return new(Book) }

func (b *Book) show(w http.ResponseWriter, _ *http.Request) {
	respond(w, http.StatusOK, map[string]int64{"readers": b.readers.Add(1)})
}

// Close closes the book.
func (b *Book) Close() error { return nil }
"""

BOOK_PATH = """  /v1/book:
    get:
      operationId: showBook
      responses:
        "200": { description: How many have read it. }
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
