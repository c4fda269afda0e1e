// The fetch of a page, which may send what the other origin permits, and read what it exposes:
// https://fetch.spec.whatwg.org/#http-cors-protocol.

const forms = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];
const sentUnasked = ["accept", "accept-language", "content-language"];
const readUnasked = ["cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma"];

// Anything that no form could send is announced by a preflight.
function announced(headers) {
  return [...headers]
    .filter(([name, value]) => !sentUnasked.includes(name) && !(name === "content-type" && forms.includes(value)))
    .map(([name]) => name);
}

function listed(response, name) {
  return (response.headers.get(name) ?? "").toLowerCase().split(/\s*,\s*/);
}

export function fetchOfPage(origin) {
  function permits(response) {
    return response.headers.get("access-control-allow-origin") === origin;
  }

  async function isPermitted(request) {
    const names = announced(request.headers);
    const answer = await fetch(request.url, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": request.method,
        "access-control-request-headers": names.join(","),
      },
    });
    const allowed = listed(answer, "access-control-allow-headers");
    return answer.ok && permits(answer) && names.every((name) => allowed.includes(name));
  }

  return async (url, init) => {
    const request = new Request(url, { ...init, credentials: "omit" });
    if (!(await isPermitted(request))) {
      throw new TypeError("Failed to fetch: the preflight was refused");
    }
    request.headers.set("origin", origin);
    request.headers.set("sec-fetch-site", "cross-site");
    const response = await fetch(request);
    if (!permits(response)) {
      throw new TypeError("Failed to fetch: the response may not be read");
    }
    const readable = [...readUnasked, ...listed(response, "access-control-expose-headers")];
    const headers = [...response.headers].filter(([name]) => readable.includes(name));
    return new Response(response.body, { status: response.status, headers });
  };
}
