// Package database connects the service to PostgreSQL. docs/database.md says what happens when the database is slow, full,
// restarted or gone.
package database

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"{{ cookiecutter.module_path }}/internal/config"
)

const (
	firstWait    = 500 * time.Millisecond // of a readiness check for the first attempt to connect
	longestPause = time.Second            // between two attempts to connect
	firstPause   = 50 * time.Millisecond  // doubles with each attempt
	closeTimeout = 2 * time.Second        // for connections that somebody forgot to release
	sweepPause   = time.Hour              // between two removals of expired idempotency keys
)

// Database is a pool of connections. It implements the DBTX of sqlc: each query takes a connection, and gives it back.
type Database struct {
	pool   *pgxpool.Pool
	cfg    config.Database
	logger *slog.Logger
	schema fs.FS

	asked     chan struct{}         // closed when it was asked once
	state     atomic.Pointer[error] // why the database was not there when it was last asked, or nil
	connected chan struct{}         // closed when it was there once
	cursorKey []byte                // set before connected is closed

	stop context.CancelFunc
	done chan struct{} // closed when the goroutine of Open ends
}

// Open connects in the background, for as long as it takes. schema has the service's migrations. The error says what is
// wrong with the settings.
func Open(cfg config.Config, logger *slog.Logger, schema fs.FS) (*Database, error) {
	settings, err := poolSettings(cfg.Database)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	pool, err := pgxpool.NewWithConfig(ctx, settings)
	if err != nil {
		stop()
		return nil, err
	}
	d := &Database{
		pool: pool, cfg: cfg.Database, logger: logger, schema: schema,
		asked: make(chan struct{}), connected: make(chan struct{}), stop: stop, done: make(chan struct{}),
	}
	d.state.Store(new(error(unavailableError{errNotAsked})))
{%- if cookiecutter.telemetry != "none" %}
	pools.Store(pool, nil)
{%- endif %}
	go func() {
		defer close(d.done)
		if d.connect(ctx) {
			d.sweep(ctx)
		}
	}()
	return d, nil
}

// connect tries until the database is there with a schema that is new enough. It returns false if ctx is done before.
func (d *Database) connect(ctx context.Context) bool {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := d.check(ctx)
		if ctx.Err() != nil {
			return false
		}
		if err == nil {
			close(d.connected) // before the state is nil: missing looks at both
		}
		d.note(err)
		if pause == firstPause {
			close(d.asked)
		}
		if err == nil {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(jittered(pause)): // copies that start together must not ask together
		}
	}
}

// jittered returns a pause of half to one and a half of the usual one.
func jittered(pause time.Duration) time.Duration {
	return pause/2 + rand.N(pause) //nolint:gosec // it is no secret
}

// check asks the database for its schema and for the key of the cursors.
func (d *Database) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.QueryTimeout)
	defer cancel()
	conn, err := d.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	err = checkSchema(ctx, conn.Conn(), d.schema)
	if err == nil {
		err = conn.QueryRow(ctx, "SELECT key FROM cursor_keys").Scan(&d.cursorKey)
	}
	if err != nil {
		return unavailableError{err}
	}
	return nil
}

// note logs a change of state, once.
func (d *Database) note(err error) {
	if err == nil && *d.state.Load() == nil {
		return // as with nearly every query
	}
	before := *d.state.Swap(&err)
	switch {
	case err == nil && before != nil:
		d.logger.Info("database available")
	case err != nil && (before == nil || stateOf(before) != stateOf(err)):
		d.logger.Warn("database unavailable", "reason", stateOf(err), "error", err)
	}
}

// missing returns why the database was not there yet, or nil.
func (d *Database) missing() error {
	select {
	case <-d.connected:
		return nil
	default:
		return unavailableError{*d.state.Load()}
	}
}

// Ready returns why the service has no database, or nil. After the first success it asks no more, unless
// DATABASE_READINESS wants it: if all copies of the service left the load balancer at once, nobody would respond.
func (d *Database) Ready(ctx context.Context) error {
	select {
	case <-d.asked:
	case <-ctx.Done():
	case <-time.After(firstWait):
	}
	if err := d.missing(); err != nil || d.cfg.Readiness == "first" || d.isBusy() {
		return err
	}
	_, err := d.Exec(ctx, "SELECT 1")
	return err
}

// Close waits for the connections in use, for at most closeTimeout.
func (d *Database) Close() error {
{%- if cookiecutter.telemetry != "none" %}
	pools.Delete(d.pool)
{%- endif %}
	d.stop()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		<-d.done
		d.pool.Close()
	}()
	select {
	case <-closed:
		return nil
	case <-time.After(closeTimeout):
		return errors.New("database: a connection is still in use")
	}
}
