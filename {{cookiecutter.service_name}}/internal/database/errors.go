package database

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// unavailableError is the reason for which there is no connection, or is none any more.
type unavailableError struct{ error }

func (u unavailableError) Unwrap() error { return u.error }

var (
	errNotAsked = errors.New("it was not asked yet")
	errBusy     = errors.New("no free connection")
)

const isStandby = "25006" // read_only_sql_transaction

// orLost returns err, as an unavailableError if the connection was lost. It closes a connection to a standby: the server was
// another one when it was opened, and a new connection finds that.
func orLost(conn *pgx.Conn, err error) error {
	if codeOf(err) == isStandby {
		closing, cancel := context.WithTimeout(context.Background(), rollbackTimeout)
		defer cancel()
		_ = conn.Close(closing)
	}
	if err != nil && conn.IsClosed() {
		return unavailableError{err}
	}
	return err
}

// IsUnavailable reports whether err is the database's fault: it cannot be reached, is full, stops, or takes no changes. To
// try again later may help. See https://www.postgresql.org/docs/current/errcodes-appendix.html.
func IsUnavailable(err error) bool {
	if _, ok := errors.AsType[unavailableError](err); ok {
		return true
	}
	if code := codeOf(err); code != "" {
		switch code {
		case isStandby,
			"25P03",          // idle_in_transaction_session_timeout
			"40001", "40P01", // serialization_failure, deadlock_detected: also when tried again
			"55P03",                            // lock_not_available
			"57P01", "57P02", "57P03", "57P04", // the server stops, starts, or drops the database
			"57P05",          // idle_session_timeout
			"58000", "58030": // system_error, io_error
			return true
		}
		class := code[:2]
		return class == "08" || class == "28" || class == "3D" || class == "53" // connection, password, database, resources
	}
	return false
}

// IsCancelled reports whether the server ended a statement, because a context was done or by DATABASE_STATEMENT_TIMEOUT.
func IsCancelled(err error) bool { return codeOf(err) == "57014" }

// IsTaken reports whether a value is not unique. The constraint is that of the table, such as notes_title_key.
func IsTaken(err error, constraint string) bool {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	return ok && refused.Code == "23505" && refused.ConstraintName == constraint
}

func codeOf(err error) string {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refused.Code
	}
	return ""
}

// stateOf names the reason for which the database is unavailable.
func stateOf(err error) string {
	if _, ok := errors.AsType[schemaError](err); ok {
		return "schema too old"
	}
	switch code := codeOf(err); {
	case errors.Is(err, errNotAsked):
		return "not asked yet"
	case code == "3D000":
		return "unknown database"
	case strings.HasPrefix(code, "28"):
		return "wrong user or password"
	case code != "":
		return "refused: " + code
	}
	return "not reachable"
}
