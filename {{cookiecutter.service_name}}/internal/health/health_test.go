package health

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
)

func TestReadyFailsWhileDraining(t *testing.T) {
	t.Parallel()
	for draining, want := range map[bool]int{false: http.StatusOK, true: http.StatusServiceUnavailable} {
		answer := httptest.NewRecorder()
		Ready(func() bool { return draining })(answer, httptest.NewRequest("GET", ReadyPath, nil))
		if got := answer.Code; got != want {
			t.Errorf("draining %t: %d, want %d", draining, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	_, portText, _ := net.SplitHostPort(server.Listener.Addr().String())
	port, _ := strconv.Atoi(portText)

	if err := Check(port); err != nil {
		t.Errorf("Check() of a live service: %v", err)
	}
	status = http.StatusInternalServerError
	if err := Check(port); err == nil {
		t.Error("Check() of a service that answers 500: no error")
	}
	server.Close()
	if err := Check(port); err == nil {
		t.Error("Check() of a closed port: no error")
	}
}
