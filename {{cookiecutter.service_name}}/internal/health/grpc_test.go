package health

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
)

// healthOf returns the health of a name as gRPC's clients see it, or the code of the error.
func healthOf(g *GRPC, name string) string {
	response, err := g.Check(context.Background(), &grpchealth.CheckRequest{Service: name})
	if err != nil {
		return connect.CodeOf(err).String()
	}
	return response.Status.String()
}

func TestHealthByGRPC(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProbe()
		g := NewGRPC(p.Readiness)
		expect := func(when string, want map[string]string) {
			t.Helper()
			for name, health := range want {
				if got := healthOf(g, name); got != health {
					t.Errorf("%s: %q is %s, want %s", when, name, got, health)
				}
			}
		}
		expect("starting", map[string]string{"": "serving", "orders": "not_serving", "acme.v1.Orders": "not_serving"})
		p.Start(func(context.Context) error { return nil })
		g.Start("acme.v1.Orders", "orders")
		expect("ready", map[string]string{
			"": "serving", "orders": "serving", "acme.v1.Orders": "serving", "acme.v1.Other": "not_found",
		})
		p.draining = true
		expect("draining", map[string]string{"": "serving", "orders": "not_serving", "acme.v1.Other": "not_found"})
	})
}

func TestWatchersLookEverySecondUntilTheyStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var looks atomic.Int32
		stop, err := NewGRPC(newProbe().Readiness).Watch(t.Context(), nil, func() { looks.Add(1) })
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3*time.Second + time.Millisecond)
		stop()
		time.Sleep(time.Minute)
		if got := looks.Load(); got != 3 {
			t.Errorf("looked %d times, want 3", got)
		}
	})
}
