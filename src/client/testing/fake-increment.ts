// A fake, until the app does it: POST …/increment, as a GET and a PUT of the app.

type Answer = (request: Request) => Promise<Response>;

const LARGEST = 2n ** 63n - 1n;

export async function fakeIncrement(request: Request, answerOne: Answer): Promise<Response> {
  const url = request.url.slice(0, -"/increment".length);
  const given = JSON.parse((await request.text()) || "{}");
  const { by = 1, initial = 0, min = -LARGEST - 1n, max = LARGEST, ttl_mode, ...expiry } = given;
  const found = await answerOne(new Request(url, { headers: request.headers }));
  const text = found.ok ? await found.text() : String(initial);
  if (!/^-?\d{1,19}$/.test(text)) return problem(409, "not_a_number");
  const value = BigInt(text) + BigInt(by);
  if (value > LARGEST || value < -LARGEST - 1n) return problem(409, "overflow");
  if (value > BigInt(max) || value < BigInt(min)) return problem(409, "out_of_bounds");
  const sets = !found.ok || ttl_mode === "always";
  const query = sets && Object.keys(expiry).length ? new URLSearchParams(expiry) : "keep_ttl=true";
  const headers = new Headers(request.headers);
  headers.set("Content-Type", "text/plain");
  const put = await answerOne(new Request(`${url}?${query}`, { method: "PUT", headers, body: String(value) }));
  if (!put.ok) return put;
  const ttl = await answerOne(new Request(`${url}/ttl`, { headers: request.headers }));
  return Response.json({ value: String(value), etag: put.headers.get("ETag"), ...((await ttl.json()) as object) });
}

export function problem(status: number, code: string): Response {
  return Response.json({ status, code, detail: "By the fake.", request_id: "fake" }, { status });
}
