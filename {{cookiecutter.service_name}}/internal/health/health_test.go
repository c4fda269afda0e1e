package health

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/livez" {
			t.Errorf("Check() requests %s, want /livez", r.URL.Path)
		}
		w.WriteHeader(status)
	}))
	_, portText, _ := net.SplitHostPort(server.Listener.Addr().String())
	port, _ := strconv.Atoi(portText)

	if err := Check(port, ""); err != nil {
		t.Errorf("Check() of a live service: %v", err)
	}
	status = http.StatusInternalServerError
	if err := Check(port, ""); err == nil {
		t.Error("Check() of a service that responds with 500: no error")
	}
	server.Close()
	if err := Check(port, ""); err == nil {
		t.Error("Check() of a closed port: no error")
	}
}

func TestCheckDoesNotWaitForever(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	result := make(chan error, 1)
	go func() { result <- Check(silent.Addr().(*net.TCPAddr).Port, silent.Addr().String()) }()
	select {
	case err := <-result:
		if err == nil {
			t.Error("Check() of a silent service: no error")
		}
	case <-time.After(10 * time.Second):
		t.Error("Check() of a silent service does not return")
	}
}

func TestCheckAsksTheAdminListenerIfThePortIsSilent(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	admin := httptest.NewServer(http.HandlerFunc(Live))
	defer admin.Close()
	port := silent.Addr().(*net.TCPAddr).Port
	if err := Check(port, admin.Listener.Addr().String()); err != nil {
		t.Errorf("Check() of a service whose connections are all in use: %v", err)
	}
	silent.Close()
	if err := Check(port, admin.Listener.Addr().String()); err == nil {
		t.Error("Check() of a closed port: no error")
	}
}
