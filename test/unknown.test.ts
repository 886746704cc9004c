// Writes whose answer is lost on the way: what can be found out about them is, and nothing happens twice.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type RunningServer, startServer } from "../vitess/run/server-process.ts";
import { type Way, wayTo } from "./proxy.ts";
import { BACKENDS, call, freshKeyUrl, targets } from "./targets.ts";

describe.each(BACKENDS)("on %s", (backend) => {
  let way: Way;
  let server: RunningServer;
  beforeAll(async () => {
    way = await wayTo(targets[backend].databaseUrl);
    // No statements but the tests' own, of which renewals of leases would be some.
    const quiet = { KV_SWEEP: "false", KV_READ_LEASE_MS: "0" };
    server = await startServer({ DATABASE_URL: way.url, KV_DEADLINE_MS: "5000", ...quiet });
  });
  afterAll(async () => {
    await server.stop();
    await way.close();
  });

  const put = (url: string, body: string, headers: Record<string, string> = {}) =>
    call(url, { method: "PUT", body, headers });
  const etagOf = (answer: Response) => answer.headers.get("ETag") as string;
  const read = async (url: string) => {
    const answer = await call(url);
    return [answer.status, await answer.text(), etagOf(answer)];
  };
  const outcomeOf = async (answer: Response) => [answer.status, ((await answer.json()) as { code: string }).code];
  const UNKNOWN = [503, "outcome_unknown"];

  /** An entry, and its key's URL. */
  async function existing() {
    const url = freshKeyUrl(server.url);
    return { url, etag: etagOf(await put(url, "old")) };
  }

  test("a PUT that was applied is found by its version", async () => {
    const { url } = await existing();
    way.lose("INSERT", "answer");
    const answer = await put(url, "new");
    expect([answer.status, way.pending()]).toEqual([204, 0]);
    expect(await read(url)).toEqual([200, "new", etagOf(answer)]);
  });

  test("of PUTs in one statement, all are found by any", async () => {
    const urls = Array.from({ length: 12 }, () => freshKeyUrl(server.url));
    way.lose("INSERT", "answer", 2);
    const answers = await Promise.all(urls.map((url) => put(url, url)));
    expect(answers.map(({ status }) => status)).toEqual(urls.map(() => 204));
    for (const [i, url] of urls.entries()) expect(await read(url)).toEqual([200, url, etagOf(answers[i] as Response)]);
    way.lose("", "answer", 0);
  });

  test("a create-only PUT that was applied is found, and not refused for its own sake", async () => {
    const url = freshKeyUrl(server.url);
    way.lose("INSERT", "answer");
    const answer = await put(url, "new", { "If-None-Match": "*" });
    expect([answer.status, way.pending()]).toEqual([204, 0]);
    expect(await read(url)).toEqual([200, "new", etagOf(answer)]);
  });

  test("a PUT or a DELETE that is nowhere to be found stays unknown", async () => {
    const { url, etag } = await existing();
    way.lose("INSERT", "statement");
    expect(await outcomeOf(await put(url, "new"))).toEqual(UNKNOWN);
    way.lose("DELETE", "statement");
    expect(await outcomeOf(await call(url, { method: "DELETE" }))).toEqual(UNKNOWN);
    expect(await read(url)).toEqual([200, "old", etag]);
    way.lose("INSERT", "statement");
    const fresh = freshKeyUrl(server.url);
    expect(await outcomeOf(await put(fresh, "new", { "If-None-Match": "*" }))).toEqual(UNKNOWN);
    expect((await read(fresh))[0]).toBe(404);
  });

  test.each(["statement", "answer"] as const)("a compare-and-swap happens once, whose %s is lost", async (what) => {
    const { url, etag } = await existing();
    way.lose("UPDATE", what);
    const answer = await put(url, "new", { "If-Match": etag });
    expect([answer.status, way.pending()]).toEqual([204, 0]);
    expect(await read(url)).toEqual([200, "new", etagOf(answer)]);
  });

  test("a compare-and-swap that fails is refused before anything could be lost", async () => {
    const { url, etag } = await existing();
    await put(url.replace(server.url, targets[backend].url), "theirs");
    way.lose("UPDATE", "answer");
    expect((await put(url, "new", { "If-Match": etag })).status).toBe(412);
    expect([way.pending(), ...(await read(url)).slice(0, 2)]).toEqual([1, 200, "theirs"]);
    way.lose("", "answer", 0);
  });

  test.each(["statement", "answer"] as const)("a conditional DELETE happens once, whose %s is lost", async (what) => {
    const { url, etag } = await existing();
    way.lose("UPDATE", what);
    expect((await call(url, { method: "DELETE", headers: { "If-Match": etag } })).status).toBe(204);
    expect([way.pending(), (await read(url))[0]]).toEqual([0, 404]);
  });

  test.each(["statement", "answer"] as const)("a change of expiry happens once, whose %s is lost", async (what) => {
    const { url, etag } = await existing();
    way.lose("UPDATE", what);
    const answer = await call(`${url}/ttl?if=nx`, { method: "PUT", body: '{"ttl":60}' });
    expect([answer.status, way.pending()]).toEqual([200, 0]);
    const { expires_at } = (await answer.json()) as { expires_at: string };
    const now = await call(url);
    expect(now.headers.get("KV-Expires-At")).toBe(expires_at);
    expect(etagOf(now)).toBe(etag);
  });

  test("changes of many rows in one transaction happen once, whose answer is lost", async () => {
    const entries = await Promise.all(Array.from({ length: 12 }, existing));
    way.lose("UPDATE", "answer", 2);
    const answers = await Promise.all(
      entries.map(({ url }) => call(`${url}/ttl?if=nx`, { method: "PUT", body: '{"ttl":60}' })),
    );
    expect(answers.map(({ status }) => status)).toEqual(entries.map(() => 200));
    way.lose("", "answer", 0);
  });

  test("a read is asked again", async () => {
    const { url, etag } = await existing();
    way.lose("SELECT", "answer");
    expect(await read(url)).toEqual([200, "old", etag]);
    expect(way.pending()).toBe(0);
  });

  test("a read of an expired entry is asked again when what settles it is not answered", async () => {
    const url = freshKeyUrl(server.url);
    await put(`${url}?ttl_ms=1`, "v");
    way.lose("DELETE", "answer");
    expect((await read(url))[0]).toBe(404);
    expect(way.pending()).toBe(0);
  });
});
