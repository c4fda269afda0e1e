package middleware

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"{{ cookiecutter.module_path }}/internal/config"
	"{{ cookiecutter.module_path }}/internal/logging"
	"{{ cookiecutter.module_path }}/internal/requestid"
)

var ok = []byte("ok")

func respondOK(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(ok) }

func TestChainKeepsTheOrder(t *testing.T) {
	t.Parallel()
	var trace strings.Builder
	named := func(name string) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				trace.WriteString(name)
				next.ServeHTTP(w, r)
			})
		}
	}
	Chain(http.HandlerFunc(respondOK), named("a"), named("b")).
		ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	if got, want := trace.String(), "ab"; got != want {
		t.Errorf("order %q, want %q", got, want)
	}
}

func TestRefuseOtherTargets(t *testing.T) {
	t.Parallel()
	handler := RefuseOtherTargets(http.HandlerFunc(respondOK))
	for target, want := range map[string]int{
		"GET /x":            http.StatusOK,
		"GET http://test/x": http.StatusOK,
		"GET *":             http.StatusBadRequest,
		"CONNECT test:443":  http.StatusBadRequest,
	} {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(target + " HTTP/1.1\r\nHost: test\r\n\r\n")))
		if err != nil {
			t.Fatal(err)
		}
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, r)
		if recorder.Code != want {
			t.Errorf("%s: status %d, want %d", target, recorder.Code, want)
		}
	}
}

func TestRefuseOtherHosts(t *testing.T) {
	t.Parallel()
	handler := RefuseOtherHosts(http.HandlerFunc(respondOK))
	for host, want := range map[string]int{
		"localhost:9090": http.StatusOK, "127.0.0.1:9090": http.StatusOK, "[::1]:9090": http.StatusOK, "10.0.0.7": http.StatusOK,
		"evil.example": http.StatusMisdirectedRequest, "localhost.evil.example:9090": http.StatusMisdirectedRequest,
		"": http.StatusOK, "LOCALHOST": http.StatusOK, "127.0.0.1.evil.example": http.StatusMisdirectedRequest,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, r)
		if recorder.Code != want {
			t.Errorf("Host %q: status %d, want %d", host, recorder.Code, want)
		}
	}
}

func TestTrustedOriginsMayReadResponses(t *testing.T) {
	t.Parallel()
	const page = "https://app.example.com"
	handler := AllowOrigins([]string{page})(http.HandlerFunc(respondOK))
	tests := []struct {
		name, method, origin, preflight string
		status                          int
		allowed                         string
	}{
		{"preflight", "OPTIONS", page, "PUT", http.StatusNoContent, page},
		{"request", "POST", page, "", http.StatusOK, page},
		{"another origin's preflight", "OPTIONS", "https://evil.example", "PUT", http.StatusOK, ""},
		{"another origin", "GET", "https://evil.example", "", http.StatusOK, ""},
		{"no browser", "GET", "", "", http.StatusOK, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(test.method, "/", nil)
			r.Header.Set("Origin", test.origin)
			r.Header.Set("Access-Control-Request-Method", test.preflight)
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, r)
			header := recorder.Header()
			if got := header.Get("Access-Control-Allow-Origin"); got != test.allowed || recorder.Code != test.status {
				t.Errorf("status %d, allowed origin %q; want %d, %q", recorder.Code, got, test.status, test.allowed)
			}
			if got := header.Get("Access-Control-Allow-Methods"); recorder.Code == http.StatusNoContent && got != test.preflight {
				t.Errorf("allowed methods %q, want %q", got, test.preflight)
			}
			if got := header.Get("Vary"); got != "Origin" {
				t.Errorf("Vary = %q, want Origin", got)
			}
		})
	}
}

func TestClientIsTheLastAddressThatIsNotATrustedProxys(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	tests := []struct {
		name, peer, forwardedFor, forwarded, want string
	}{
		{"no proxy", "192.0.2.1:99", "", "", "192.0.2.1:99"},
		{"a proxy that is not trusted", "192.0.2.1:99", "198.51.100.1", "", "192.0.2.1:99"},
		{"one proxy", "10.0.0.1:99", "198.51.100.1", "", "198.51.100.1"},
		{"two proxies", "10.0.0.1:99", "198.51.100.1, 10.0.0.2", "", "198.51.100.1"},
		{"a client that lies", "10.0.0.1:99", "203.0.113.9, 198.51.100.1", "", "198.51.100.1"},
		{"all are proxies", "10.0.0.1:99", "10.0.0.3, 10.0.0.2", "", "10.0.0.3"},
		{"not an address", "10.0.0.1:99", "unknown", "", "10.0.0.1:99"},
		{"Forwarded", "10.0.0.1:99", "", `for=203.0.113.9;proto=https, For="[2001:db9::1]:4711";by=10.0.0.1`, "2001:db9::1"},
		{"mapped", "[::ffff:10.0.0.1]:99", "::ffff:198.51.100.1", "", "198.51.100.1"},
		{"with a zone", "10.0.0.1:99", "fe80::1%" + strings.Repeat("z", 1000), "", "fe80::1"},
		{"both agree", "10.0.0.1:99", "198.51.100.1", "for=198.51.100.1", "198.51.100.1"},
		{"one says nothing", "10.0.0.1:99", "203.0.113.9", "for=_hidden", "10.0.0.1:99"},
		{"the other says nothing", "10.0.0.1:99", "unknown", "for=203.0.113.9", "10.0.0.1:99"},
		{"a host that looks like a hop", "10.0.0.1:99", "", `for=198.51.100.1;host="x;for=203.0.113.9,for=203.0.113.9"`, "198.51.100.1"},
		{"a quote that is never closed", "10.0.0.1:99", "", `for=203.0.113.9;host=", for=198.51.100.1`, "10.0.0.1:99"},
		{"two addresses for a hop", "10.0.0.1:99", "", "for=198.51.100.1;for=203.0.113.9", "10.0.0.1:99"},
		{"both contradict each other", "10.0.0.1:99", "198.51.100.1", "for=203.0.113.9", "10.0.0.1:99"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = test.peer
			for name, value := range map[string]string{"X-Forwarded-For": test.forwardedFor, "Forwarded": test.forwarded} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			BelieveProxies(trusted)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if got := r.RemoteAddr; got != test.want {
					t.Errorf("client %s, want %s", got, test.want)
				}
			})).ServeHTTP(httptest.NewRecorder(), r)
		})
	}
}

func BenchmarkChain(b *testing.B) {
	logger, queue := logging.Start(io.Discard, 0, "json", requestid.Attr)
	defer queue.Flush()
	limits := NewLimits(config.Config{MaxInFlight: 1024, RequestTimeout: time.Minute})
	handler := Chain(limits.Apply(Route{Pattern: "GET /", MaxBody: 1 << 20}, http.HandlerFunc(respondOK)),
		BelieveProxies(nil),
		Observe(logger, func() bool { return false }),
		RefuseOtherTargets,
		AllowOrigins(nil),
	)
	r := httptest.NewRequest("GET", "/", nil)
	w := discard{}
	b.ReportAllocs()
	for b.Loop() {
		handler.ServeHTTP(w, r)
	}
}

// discard is a ResponseWriter that does nothing, so that the benchmark measures the middlewares alone.
type discard http.Header

func (d discard) Header() http.Header         { return http.Header(d) }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}
