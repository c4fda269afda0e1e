package config

import (
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Database has the settings of PostgreSQL.
type Database struct {
	URL              Secret // if it is empty, the PG variables of libpq count
	MaxConns         int
	AcquireTimeout   time.Duration
	QueryTimeout     time.Duration
	StatementTimeout time.Duration
	Readiness        string

	// These follow from others.
	IdleTimeout time.Duration // of a transaction, between two statements
	CancelGrace time.Duration // for the server to end a query that was cancelled
}

func (d *Database) variables() []variable {
	return []variable{
		{"DATABASE_URL", "", "postgres://user:password@host:5432/name; if empty, PGHOST and the like count", databaseURL(&d.URL)},
		{"DATABASE_MAX_CONNS", "10", "connections of this copy to the database", number(&d.MaxConns, 1, 10000)},
		{"DATABASE_ACQUIRE_TIMEOUT", "2s", "time to wait for a free connection, at most half of DATABASE_QUERY_TIMEOUT", duration(&d.AcquireTimeout, time.Millisecond)},
		{"DATABASE_QUERY_TIMEOUT", "5s", "time for a query outside of a transaction, at most DATABASE_STATEMENT_TIMEOUT", duration(&d.QueryTimeout, time.Millisecond)},
		{"DATABASE_STATEMENT_TIMEOUT", "10s", "time after which the server itself ends a statement, at most REQUEST_TIMEOUT", duration(&d.StatementTimeout, time.Millisecond)},
		{"DATABASE_READINESS", "first", "first: /readyz asks for the database until it was there once; always: each time", oneOf(&d.Readiness, "first", "always")},
	}
}

// fit makes the timeouts fit into that of a request: when the database is at fault, the client has to hear it in time, before
// the time to respond is over.
func (d *Database) fit(request, respond time.Duration) {
	d.StatementTimeout = min(d.StatementTimeout, request)
	d.QueryTimeout = min(d.QueryTimeout, d.StatementTimeout)
	d.AcquireTimeout = min(d.AcquireTimeout, d.QueryTimeout/2)
	d.IdleTimeout = request + time.Second
	d.CancelGrace = min(time.Second, (respond-request)/2)
}

// ForgetPGVariables unsets libpq's variables, such as PGPASSWORD: pgx would fill in with them what a URL lacks.
func ForgetPGVariables() {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "PG") {
			_ = os.Unsetenv(name)
		}
	}
}

// databaseURL accepts what pgx does, and an empty value.
func databaseURL(field *Secret) parser {
	return parser{secret: true, accepted: "a URL like postgres://app@db.example:5432/app", parse: func(value string) bool {
		*field = NewSecret(value)
		if value != "" {
			ForgetPGVariables()
		}
		_, err := pgxpool.ParseConfig(value)
		return value == "" || err == nil
	}}
}
