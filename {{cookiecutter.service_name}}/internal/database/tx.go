package database

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	rollbackTimeout = time.Second
	attempts        = 10 // of a transaction that others keep getting in the way of
	firstRetry      = 5 * time.Millisecond
	longestRetry    = 250 * time.Millisecond
)

// Tx is a transaction. It implements the DBTX of sqlc.
type Tx interface {
	Exec(ctx context.Context, sql string, arguments ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, arguments ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, arguments ...any) pgx.Row
	SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error)
}

// ErrNested is the error of a query or a transaction on the Database inside a transaction. It would wait for a second
// connection, and stay if the transaction is rolled back. Use the Tx instead.
var ErrNested = errors.New("the Database was used inside a transaction")

type inTx struct{}

// InTx calls do in a transaction, which is committed if do returns nil. After a serialization failure or a deadlock it
// begins again, until ctx is done: do must have no effects but those on the database. Inside of it, use the Tx and the
// context that do gets.
func (d *Database) InTx(ctx context.Context, do func(ctx context.Context, tx Tx) error) error {
	return d.transaction(ctx, d.begin, do, commit)
}

// step is the begin or the end of a transaction.
type step func(ctx context.Context, conn *pgx.Conn) error

func (d *Database) transaction(ctx context.Context, begin step, do func(context.Context, Tx) error, end step) error {
	for attempt, pause := 1, firstRetry; ; attempt, pause = attempt+1, min(2*pause, longestRetry) {
		err := d.attempt(ctx, begin, do, end)
		if code := codeOf(err); code != "40001" && code != "40P01" || attempt == attempts {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(jittered(pause)):
		}
	}
}

func (d *Database) attempt(
	ctx context.Context, begin step, do func(context.Context, Tx) error, end step,
) (err error) {
	acquired, err := d.connection(ctx)
	if err != nil {
		return err
	}
	defer acquired.Release()
	conn := acquired.Conn()
	defer func() {
		err = orLost(conn, err)
		rollback(ctx, conn)
	}()
	if err := begin(ctx, conn); err != nil {
		return err
	}
	if err := do(context.WithValue(ctx, inTx{}, true), conn); err != nil {
		return err
	}
	return end(ctx, conn)
}

// rollback ends a transaction that was not committed, also if ctx is done: pgx would close the connection otherwise.
func rollback(ctx context.Context, conn *pgx.Conn) {
	if conn.IsClosed() || conn.PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_, _ = conn.Exec(ctx, "rollback") // if it fails, the pool closes the connection
}

func (d *Database) begin(ctx context.Context, conn *pgx.Conn) error {
	sql := "begin"
	if limit := d.localLimits(conn); limit != "" {
		sql += "; " + limit
	}
	_, err := conn.Exec(ctx, sql)
	return err
}

// localLimits returns a statement that limits a transaction, or "" if the connection has the limits.
func (d *Database) localLimits(conn *pgx.Conn) string {
	if !isPooled(conn.Config()) {
		return ""
	}
	var values []string
	for name, value := range limits(d.cfg) {
		values = append(values, fmt.Sprintf("set_config('%s', '%s', true)", name, value))
	}
	return "SELECT " + strings.Join(values, ", ")
}

func commit(ctx context.Context, conn *pgx.Conn) error {
	tag, err := conn.Exec(ctx, "commit")
	return committed(tag, err)
}

// committed returns an error if a commit was a rollback, because a statement failed and do returned nil.
func committed(tag pgconn.CommandTag, err error) error {
	if err == nil && tag.String() == "ROLLBACK" {
		return pgx.ErrTxCommitRollback
	}
	return err
}
