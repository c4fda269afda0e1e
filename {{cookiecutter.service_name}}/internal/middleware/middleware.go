// Package middleware has the code that every request passes before it reaches its handler.
package middleware

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"{{ cookiecutter.module_path }}/internal/problem"
)

// Middleware wraps a handler.
type Middleware = func(http.Handler) http.Handler

// Chain wraps handler. A request passes the middlewares in the order of the arguments.
func Chain(handler http.Handler, middlewares ...Middleware) http.Handler {
	for _, wrap := range slices.Backward(middlewares) {
		handler = wrap(handler)
	}
	return handler
}

// RefuseOtherTargets rejects requests for a proxy (CONNECT) or a whole server (*) with 400. The mux would respond in
// plain text.
func RefuseOtherTargets(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect || r.RequestURI == "*" {
			if r.ProtoMajor == 1 {
				w.Header().Set("Connection", "close") // the next bytes may not be a request
			}
			problem.Write(w, r, http.StatusBadRequest, "The target of the request must be a path.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// RefuseOtherHosts rejects requests whose Host is a name other than localhost with 421. A page in a browser can make
// its own name lead to this machine (DNS rebinding), but not send an address as Host, or none as old probes do.
func RefuseOtherHosts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := (&url.URL{Host: r.Host}).Hostname()
		if _, err := netip.ParseAddr(host); err != nil && host != "" && !strings.EqualFold(host, "localhost") {
			problem.Refuse(w, r, http.StatusMisdirectedRequest, "The Host of the request must be an IP address or localhost.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// AllowOrigins answers the preflight requests of pages from the trusted origins, and lets these pages read responses.
// See https://fetch.spec.whatwg.org/#http-cors-protocol.
func AllowOrigins(trusted []string) Middleware {
	return func(next http.Handler) http.Handler {
		if len(trusted) == 0 {
			return next
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			header := w.Header()
			header.Add("Vary", "Origin")
			origin, method := r.Header.Get("Origin"), r.Header.Get("Access-Control-Request-Method")
			if !slices.Contains(trusted, origin) {
				next.ServeHTTP(w, r)
				return
			}
			header.Set("Access-Control-Allow-Origin", origin)
			header.Set("Access-Control-Allow-Credentials", "true")
			if r.Method == http.MethodOptions && method != "" {
				header.Set("Access-Control-Allow-Methods", method)
				header.Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
				header.Set("Access-Control-Max-Age", "600")
				w.WriteHeader(http.StatusNoContent)
				return
			}
			header.Set("Access-Control-Expose-Headers", "ETag, Location, Retry-After, X-Request-Id{% if cookiecutter.rpc != "none" %}, Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin{% endif %}")
			next.ServeHTTP(w, r)
		})
	}
}

// BelieveProxies replaces the request's RemoteAddr with the client's address as the trusted proxies tell it: the last
// address of X-Forwarded-For, or Forwarded, that is not a trusted proxy's. See RFC 7239.
func BelieveProxies(trusted []netip.Prefix) Middleware {
	return func(next http.Handler) http.Handler {
		if len(trusted) == 0 {
			return next
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r = r.WithContext(r.Context()) // a copy: the caller's stays as it is
			r.RemoteAddr = clientOf(r, trusted)
			next.ServeHTTP(w, r)
		})
	}
}

// clientOf believes the headers only if they do not contradict each other: the proxies may know one of them alone, and
// hand on what a client sent in the other.
func clientOf(r *http.Request, trusted []netip.Prefix) string {
	forwardedFor := lastUntrusted(r.RemoteAddr, forwardedFor(r.Header), trusted)
	forwarded := lastUntrusted(r.RemoteAddr, forwarded(r.Header), trusted)
	switch {
	case len(r.Header["Forwarded"]) == 0 || forwarded == forwardedFor:
		return forwardedFor
	case len(r.Header["X-Forwarded-For"]) == 0:
		return forwarded
	}
	return r.RemoteAddr
}

// lastUntrusted returns the last address that is not a trusted proxy's. The peer comes after all hops.
func lastUntrusted(peer string, hops []string, trusted []netip.Prefix) string {
	client := peer
	for _, hop := range slices.Backward(hops) {
		addr, _ := parseAddr(client)
		if !slices.ContainsFunc(trusted, func(network netip.Prefix) bool { return network.Contains(addr) }) {
			break
		}
		hopAddr, ok := parseAddr(hop)
		if !ok {
			break // "unknown", a name, or nothing
		}
		client = hopAddr.String()
	}
	return client
}

func forwardedFor(header http.Header) []string {
	isSeparator := func(c rune) bool { return c == ',' || c == ' ' }
	return strings.FieldsFunc(strings.Join(header.Values("X-Forwarded-For"), ","), isSeparator)
}

// forwarded returns the "for" of each hop, or "" for a hop that does not say one.
func forwarded(header http.Header) []string {
	var hops []string
	for _, line := range header["Forwarded"] {
		for _, hop := range splitUnquoted(line, ',') {
			var found []string
			for _, pair := range splitUnquoted(hop, ';') {
				if name, value, _ := strings.Cut(pair, "="); strings.EqualFold(strings.TrimSpace(name), "for") {
					found = append(found, strings.Trim(value, `" `))
				}
			}
			if len(found) != 1 {
				found = []string{""}
			}
			hops = append(hops, found[0])
		}
	}
	return hops
}

// splitUnquoted splits text at the separators that are not between quotes. If a quote is never closed, nothing in text
// can be believed, and it returns one empty part.
func splitUnquoted(text string, separator byte) []string {
	var parts []string
	begin, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == separator && !quoted:
			parts = append(parts, text[begin:i])
			begin = i + 1
		}
	}
	if quoted {
		return []string{""}
	}
	return append(parts, text[begin:])
}

// parseAddr parses an address with or without a port. An IPv6 address may have brackets. Its zone is dropped: it can be
// of any length, and no network has one.
func parseAddr(text string) (netip.Addr, bool) {
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr().Unmap().WithZone(""), true
	}
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return addr.Unmap().WithZone(""), err == nil
}
