// A fake, until the app does it: times as RFC 3339 in UTC with milliseconds, in both directions.

/** What the app takes at present for the same instant. */
function inItsWords(time: string, nowMs: number): { ttl_ms: number } | { expires_at: number } {
  const afterMs = new Date(time).getTime() - nowMs;
  return afterMs > 0 ? { ttl_ms: afterMs } : { expires_at: 1 };
}

const isTime = (value: unknown): value is string => typeof value === "string" && value.endsWith("Z");

export async function timesForApp(request: Request, nowMs: number): Promise<Request> {
  const url = new URL(request.url);
  const time = url.searchParams.get("expires_at");
  if (isTime(time)) {
    const others = request.url.slice(request.url.indexOf("?") + 1).split("&");
    const [pair] = Object.entries(inItsWords(time, nowMs)).map(([name, value]) => `${name}=${value}`);
    const query = others.map((each) => (each.startsWith("expires_at=") ? pair : each)).join("&");
    return new Request(`${request.url.split("?")[0]}?${query}`, request);
  }
  if (request.method === "PUT" && url.pathname.endsWith("/ttl")) {
    const { expires_at, ...rest } = (await request.clone().json()) as { expires_at?: unknown };
    if (isTime(expires_at)) {
      const body = JSON.stringify({ ...rest, ...inItsWords(expires_at, nowMs) });
      return new Request(request.url, { method: "PUT", headers: request.headers, body });
    }
  }
  return request;
}

export function timesForCaller(response: Response): Response {
  const time = response.headers.get("KV-Expires-At");
  if (time) response.headers.set("KV-Expires-At", new Date(Number(time)).toISOString());
  return response;
}
