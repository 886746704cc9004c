// An edge: the Worker in workerd that forwards to a server. Its answers are those of the server, and calls of different
// requests share one on the way.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { newToken } from "../src/auth/tokens.ts";
import { describeBatches } from "../src/http/contract/batches.ts";
import { describeLists } from "../src/http/contract/lists.ts";
import { describeContract } from "../src/http/contract/suite.ts";
import { type RunningServer, startServer } from "../vitess/run/server-process.ts";
import { startWorkerd } from "../vitess/run/workerd.ts";
import { freePort } from "./free-port.ts";
import { type Way, wayTo } from "./proxy.ts";
import { call, freshKeyUrl, targets } from "./targets.ts";

const { url: region, databaseUrl } = targets.vitess;
const startEdge = (...urls: string[]) => startWorkerd(databaseUrl, urls.join());

const edge = await startEdge(region);
afterAll(() => edge.stop());

describeContract("an edge", edge.url);
describeLists("an edge", edge.url, fetch);
describeBatches("an edge", edge.url, fetch);

/** Stands before the server, as far away as asked for, and knows what it was asked. */
function counting(target: string, awayMs = 0) {
  const asked: string[] = [];
  const proxy = Bun.serve({
    ...{ port: 0, hostname: "127.0.0.1", idleTimeout: 60 },
    fetch: async (request) => {
      const { pathname, search } = new URL(request.url);
      asked.push(`${request.method} ${pathname}`);
      const { method, headers } = request;
      headers.delete("Host");
      await Bun.sleep(awayMs);
      return fetch(target + pathname + search, { method, headers, body: request.body });
    },
  });
  return { url: proxy.url.href.replace(/\/$/, ""), asked, stop: () => proxy.stop(true) };
}

const outcome = async (answer: Response) => [answer.status, ((await answer.json()) as { code: string }).code];

describe("its answers are the server's", () => {
  const all = newToken(["read", "write"], "*");
  const reader = newToken(["read"], "test");
  let server: RunningServer;
  let before: RunningServer;
  beforeAll(async () => {
    server = await startServer({
      DATABASE_URL: databaseUrl,
      KV_TOKENS: `${all.entry} ${reader.entry}`,
      KV_CORS_ORIGINS: "*",
    });
    before = await startEdge(server.url);
  });
  afterAll(async () => {
    await before.stop();
    await server.stop();
  });

  const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
  const key = `/v1/kv/test/edge-${Date.now()}`;
  const value = (bytes: string) => Buffer.from(bytes, "latin1");
  const requests: [string, string, Record<string, string>?, (string | Buffer<ArrayBuffer>)?][] = [
    ["PUT", key, bearer(all.token), value("\xff\x00\xef\xbb\xbf")],
    ["GET", key, bearer(all.token)],
    ["HEAD", key, bearer(all.token)],
    ["GET", `${key}/ttl`, bearer(all.token)],
    ["PUT", key, { ...bearer(all.token), "Content-Type": "text/plain;charset=utf-8" }, value("\xef\xbb\xbftext")],
    ["GET", key, bearer(reader.token)],
    ["PUT", `${key}-m`, { ...bearer(all.token), "KV-Metadata": '{"a" : 1.0}' }, "v"],
    ["GET", `${key}-m`, bearer(all.token)],
    ["HEAD", `${key}-m`, bearer(all.token)],
    ["GET", key, { ...bearer(all.token), "If-None-Match": "*" }],
    ["GET", key, { ...bearer(all.token), Origin: "https://a.example" }],
    ["OPTIONS", key, { Origin: "https://a.example", "Access-Control-Request-Method": "PUT" }],
    ["GET", key],
    ["GET", key, { Authorization: "Basic abc" }],
    ["GET", key, bearer("wrong")],
    ["PUT", key, bearer(reader.token), "v"],
    ["GET", key.replace("/test/", "/other/"), bearer(reader.token)],
    ["PUT", `${key}?ttl=-1`, bearer(all.token), "v"],
    ["PUT", `${key}?ttl=5&ttl_ms=5`, bearer(all.token), "v"],
    ["PUT", key, { ...bearer(all.token), "If-Match": '"00000000000000000000"' }, "v"],
    ["PUT", key, { ...bearer(all.token), "If-None-Match": "*" }, "v"],
    ["PUT", key, { ...bearer(all.token), "If-Match": "garbage" }, "v"],
    ["PUT", key, { ...bearer(all.token), "Content-Type": "a, b" }, "v"],
    ["PUT", key, { ...bearer(all.token), "Content-Encoding": "gzip" }, "v"],
    ["PUT", key, bearer(all.token), Buffer.alloc(1024 * 1024 + 1)],
    ["POST", `${key}/increment`, bearer(all.token), "{}"],
    ["PATCH", key, bearer(all.token), "v"],
    ["GET", `/v1/kv/test/${"k".repeat(513)}`, bearer(all.token)],
    ["GET", "/v1/kv/test/%zz", bearer(all.token)],
    ["GET", "/v1/kv/bad!/k", bearer(all.token)],
    ["GET", "/v1/kv/test/%EF%BF%BD", bearer(all.token)],
    ["GET", "/v1/kv/test?limit=0", bearer(all.token)],
    ["GET", "/metrics", bearer(reader.token)],
    ["GET", "/nowhere", bearer(all.token)],
    ["GET", "/redis/test/get/absent", bearer(all.token)],
    ["GET", "/client/v4/accounts/a/storage/kv/namespaces/test/values/absent", bearer(all.token)],
    ["DELETE", key, { ...bearer(all.token), "If-Match": '"00000000000000000000"' }],
    ["DELETE", `${key}/ttl`, bearer(all.token)],
    ["DELETE", key, bearer(all.token)],
    ["GET", key, bearer(all.token)],
    ["DELETE", `${key}/ttl`, bearer(all.token)],
  ];
  // By its place, for a row's missing values would be taken for what ends a test.
  test.each(requests.keys().toArray())("request %d", async (i) => {
    const [method, path, headers, body] = requests[i] as (typeof requests)[number];
    const [there, here] = [await told(server.url), await told(before.url)];
    expect(here).toEqual(there);

    async function told(base: string) {
      const init = { method, headers: { ...headers, "X-Request-Id": "same" }, body };
      const answer = await call(base + path, init);
      const text = Buffer.from(await answer.arrayBuffer()).toString("latin1");
      const fields = Object.fromEntries(answer.headers);
      for (const name of ["date", "connection", "keep-alive", "transfer-encoding"]) delete fields[name];
      // Whom they tell nothing, a batch leaves them out.
      if (!headers?.Origin)
        for (const name of Object.keys(fields)) if (/^(access-control-.*|vary)$/.test(name)) delete fields[name];
      // New with each write.
      if (method === "PUT" && fields.etag) fields.etag = "new";
      return { status: answer.status, fields, text };
    }
  });
});

test("calls of different requests share one", async () => {
  // So far that most calls find others under way, on a slow machine too.
  const proxy = counting(region, 50);
  const edge = await startEdge(proxy.url);
  try {
    const urls = Array.from({ length: 200 }, () => freshKeyUrl(edge.url));
    const puts = await Promise.all(urls.map((url) => call(url, { method: "PUT", body: url })));
    expect(puts.every(({ status }) => status === 204)).toBe(true);
    // So often that workerd has compiled what they wait in.
    for (let round = 0; round < 20; round++) {
      const gets = await Promise.all(urls.map(async (url) => (await call(url)).text()));
      expect(gets).toEqual(urls);
    }
    expect(proxy.asked.length).toBeLessThan(urls.length);
    expect(proxy.asked).toContain("POST /v1/kv/test");
  } finally {
    await edge.stop();
    proxy.stop();
  }
});

test("those who go away take nobody with them", async () => {
  const kept = Array.from({ length: 100 }, () => freshKeyUrl(edge.url));
  await Promise.all(kept.map((url) => call(url, { method: "PUT", body: "v" })));
  for (let round = 0; round < 5; round++) {
    const gone = new AbortController();
    const calls = kept.map((url, i) =>
      i % 2 ? call(url) : call(url, { signal: gone.signal }).catch((error: Error) => error.name),
    );
    setTimeout(() => gone.abort(), round);
    const answers = await Promise.all(calls);
    for (const [i, answer] of answers.entries()) {
      if (i % 2) expect((answer as Response).status).toBe(200);
    }
  }
});

describe("where no answer comes", () => {
  let way: Way;
  let lossy: RunningServer;
  beforeAll(async () => {
    way = await wayTo(region);
    lossy = await startEdge(way.url.replace(/\/$/, ""));
  });
  afterAll(async () => {
    await lossy.stop();
    await way.close();
  });

  test.each([
    ["PUT", "", [503, "outcome_unknown"]],
    ["DELETE", "", [503, "outcome_unknown"]],
    ["POST", "/increment", [503, "outcome_unknown"]],
  ] as const)("%s %s is unknown, and was done once", async (method, part, expected) => {
    const url = freshKeyUrl(lossy.url);
    const direct = url.replace(lossy.url, region);
    if (method !== "POST") await call(direct, { method: "PUT", body: "v" });
    way.lose(new URL(url).pathname, "answer");
    const body = method === "PUT" ? "new" : method === "POST" ? "{}" : undefined;
    expect(await outcome(await call(url + part, { method, body }))).toEqual([...expected]);
    expect(way.pending()).toBe(0);
    if (method === "PUT") expect(await (await call(direct)).text()).toBe("new");
    if (method === "POST") expect(await (await call(direct)).text()).toBe("1");
  });

  test.each(["", "/ttl"])("GET %s is asked again", async (part) => {
    const url = freshKeyUrl(lossy.url);
    await call(url.replace(lossy.url, region), { method: "PUT", body: "v" });
    way.lose(new URL(url).pathname, "answer");
    expect((await call(url + part)).status).toBe(200);
    expect(way.pending()).toBe(0);
  });

  test("each write of a batch whose answer is lost is unknown, and each read is asked again", async () => {
    const urls = Array.from({ length: 40 }, () => freshKeyUrl(lossy.url));
    way.lose('"operations"', "answer");
    const calls = urls.flatMap((url) => [call(url, { method: "PUT", body: "v" }), call(`${url}-absent`)]);
    const outcomes = await Promise.all(
      (await Promise.all(calls)).map(async (answer) =>
        answer.status === 204 ? 204 : (await outcome(answer)).join(" "),
      ),
    );
    expect(way.pending()).toBe(0);
    const [puts, gets] = [0, 1].map((odd) => new Set(outcomes.filter((_, i) => i % 2 === odd)));
    expect(puts).toContain("503 outcome_unknown");
    expect([...(puts ?? [])].filter((each) => each !== 204 && each !== "503 outcome_unknown")).toEqual([]);
    expect([...(gets ?? [])]).toEqual(["404 not_found"]);
    for (const url of urls) expect(await (await call(url.replace(lossy.url, region))).text()).toBe("v");
  });

  test("a write that nobody could be reached for is unknown too, since workerd does not tell", async () => {
    const closed = await startEdge(`http://127.0.0.1:${await freePort()}`);
    try {
      const get = await call(freshKeyUrl(closed.url));
      expect([get.headers.get("Retry-After"), ...(await outcome(get))]).toEqual(["1", 503, "unavailable"]);
      const put = await call(freshKeyUrl(closed.url), { method: "PUT", body: "v" });
      expect(await outcome(put)).toEqual([503, "outcome_unknown"]);
    } finally {
      await closed.stop();
    }
  });
});

test("a key goes to its slice, and is read from another where that can't be reached", async () => {
  const [lower, upper] = [counting(region), counting(region)];
  const edge = await startEdge(lower.url, upper.url);
  try {
    for (const key of ["a", "b", "c", "d", "e", "f", "%00", "x%2Fy", "caf%C3%A9", "g/ttl", "h/ttl"]) {
      lower.asked.length = 0;
      upper.asked.length = 0;
      await call(`${edge.url}/v1/kv/slices/${key}`);
      const bytes = key
        .replace("/ttl", "")
        .replace(/%(..)/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
      const isLower = (Bun.hash.xxHash64(Buffer.from(`slices/${bytes}`, "latin1")) & 255n) < 128n;
      expect([key, lower.asked.length, upper.asked.length]).toEqual([key, isLower ? 1 : 0, isLower ? 0 : 1]);
    }
    lower.stop();
    for (const key of ["a", "b", "c", "d", "e", "f"]) {
      const url = `${edge.url}/v1/kv/slices/${key}`;
      await call(url.replace(edge.url, region), { method: "PUT", body: key });
      expect(await (await call(url)).text()).toBe(key);
    }
  } finally {
    await edge.stop();
    upper.stop();
  }
});
