package database

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"{{ cookiecutter.module_path }}/internal/config"
)

// poolSettings returns the settings of a pool.
func poolSettings(cfg config.Database) (*pgxpool.Config, error) {
	settings, err := parse(cfg.URL)
	if err != nil {
		return nil, err
	}
	settings.MaxConns = int32(cfg.MaxConns) //nolint:gosec // config has checked it
	settings.MinIdleConns = min(settings.MinIdleConns, settings.MaxConns)
	settings.PingTimeout = cfg.AcquireTimeout
	conn := settings.ConnConfig
{%- if cookiecutter.telemetry != "none" %}
	conn.Tracer = observer{}
{%- endif %}
	conn.ConnectTimeout = cfg.AcquireTimeout // a dead host must not occupy the pool for longer
	// Otherwise pgx would close the connection, and each slow query would cost a new one: https://github.com/jackc/pgx/issues/2425.
	conn.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: cfg.CancelGrace}
	}
	if !isPooled(conn) {
		maps.Copy(conn.RuntimeParams, limits(cfg))
	}
	return settings, nil
}

// limits are settings of PostgreSQL for each connection, or for each transaction behind a pooler. The second one ends the
// transactions of a client that the network has cut off: their locks would stay.
func limits(cfg config.Database) map[string]string {
	return map[string]string{
		"statement_timeout":                   milliseconds(cfg.StatementTimeout),
		"idle_in_transaction_session_timeout": milliseconds(cfg.IdleTimeout),
	}
}

// parse reads the URL, or libpq's variables if there is none.
func parse(url config.Secret) (*pgxpool.Config, error) {
	if url.Reveal() != "" {
		config.ForgetPGVariables()
	}
	settings, err := pgxpool.ParseConfig(url.Reveal())
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL or the PG variables: %w", err)
	}
	return settings, nil
}

// explain says that there is no setting for a database, if that is why nobody is there.
func explain(url config.Secret, err error) error {
	if url.Reveal() == "" && os.Getenv("PGHOST") == "" {
		return fmt.Errorf("neither DATABASE_URL nor PGHOST is set: %w", err)
	}
	return err
}

// isPooled reports whether the URL is for a pooler such as PgBouncer, by its default_query_exec_mode. A pooler may refuse
// startup parameters, and a SET would reach other clients.
func isPooled(conn *pgx.ConnConfig) bool {
	return conn.DefaultQueryExecMode != pgx.QueryExecModeCacheStatement
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// acquire takes a connection from the pool, within DATABASE_ACQUIRE_TIMEOUT.
func (d *Database) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, d.cfg.AcquireTimeout)
	defer cancel()
	conn, err := d.pool.Acquire(limited)
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case d.isBusy():
{%- if cookiecutter.telemetry != "none" %}
		countTimeout(ctx)
{%- endif %}
		return nil, unavailableError{fmt.Errorf("%w within %s", errBusy, d.cfg.AcquireTimeout)}
	}
	return nil, unavailableError{explain(d.cfg.URL, err)}
}

// isBusy reports whether all connections are in use.
func (d *Database) isBusy() bool {
	stat := d.pool.Stat()
	return stat.AcquiredConns() == stat.MaxConns()
}

// use takes a connection for a query, and returns a context that has DATABASE_QUERY_TIMEOUT. release gives both back, once.
func (d *Database) use(ctx context.Context) (_ *pgx.Conn, limited context.Context, release func(), _ error) {
	conn, err := d.connection(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	limited, cancel := context.WithTimeout(ctx, d.cfg.QueryTimeout)
	return conn.Conn(), limited, func() { conn.Release(); cancel() }, nil
}

// connection takes a connection, and notes whether there was one. Until the schema is known to be new enough, there is none.
func (d *Database) connection(ctx context.Context) (*pgxpool.Conn, error) {
	if err := d.missing(); err != nil {
		return nil, err
	}
	if ctx.Value(inTx{}) != nil {
		return nil, ErrNested
	}
	conn, err := d.acquire(ctx)
	if ctx.Err() == nil && !errors.Is(err, errBusy) {
		d.note(err)
	}
	return conn, err
}

// Exec implements DBTX.
func (d *Database) Exec(ctx context.Context, sql string, arguments ...any) (pgconn.CommandTag, error) {
	conn, ctx, release, err := d.use(ctx)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	defer release()
	tag, err := conn.Exec(ctx, sql, arguments...)
	return tag, orLost(conn, err)
}

// Query implements DBTX. The connection is given back when the rows are read or closed.
func (d *Database) Query(ctx context.Context, sql string, arguments ...any) (pgx.Rows, error) {
	conn, ctx, release, err := d.use(ctx)
	if err != nil {
		return nil, err
	}
	found, err := conn.Query(ctx, sql, arguments...)
	if err != nil {
		err = orLost(conn, err)
		release()
		return nil, err
	}
	r := &rows{Rows: found}
	r.close = sync.OnceFunc(func() {
		found.Close()
		r.err = orLost(conn, found.Err())
		release()
	})
	return r, nil
}

// QueryRow implements DBTX. The connection is given back by Scan.
func (d *Database) QueryRow(ctx context.Context, sql string, arguments ...any) pgx.Row {
	conn, ctx, release, err := d.use(ctx)
	if err != nil {
		return row{err: err}
	}
	return row{conn.QueryRow(ctx, sql, arguments...), conn, release, nil}
}

// rows give their connection back.
type rows struct {
	pgx.Rows
	close func()
	err   error
}

func (r *rows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

func (r *rows) Close() { r.close() }

func (r *rows) Err() error { return cmp.Or(r.err, r.Rows.Err()) }

// row gives its connection back.
type row struct {
	pgx.Row
	conn    *pgx.Conn
	release func()
	err     error
}

func (r row) Scan(destinations ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.release()
	return orLost(r.conn, r.Row.Scan(destinations...))
}
