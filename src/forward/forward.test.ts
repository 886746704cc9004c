// The forwarder in process, before the app over the model store: the contract, and what it does where slices fail.

import { afterAll, describe, expect, test } from "bun:test";
import { modelServer } from "../client/testing/server.ts";
import { describeBatches } from "../http/contract/batches.ts";
import { describeContract } from "../http/contract/suite.ts";
import { createForwarder } from "./forward.ts";

const hash = (key: Uint8Array) => Bun.hash.xxHash64(key);

/** A server over sockets, and what it was asked. */
function region(server = modelServer()) {
  const listener = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: server.answer });
  return { ...server, url: listener.url.origin, stop: () => listener.stop(true) };
}

/** What sends a request through a forwarder to these. */
function through(...urls: string[]) {
  const { fetch } = createForwarder({ urls, hash, timeoutMs: 5_000, bodyTimeoutMs: 5_000 });
  return (url: string, init: RequestInit = {}) => fetch(new Request(url, init));
}

const whole = region();
afterAll(() => whole.stop());

describe("before one server", () => {
  describeContract("an edge in process", "http://edge.test", through(whole.url));
  describeBatches("an edge in process", "http://edge.test", through(whole.url));

  test("calls that come together share requests", async () => {
    const send = through(whole.url);
    whole.requests.length = 0;
    const urls = Array.from({ length: 100 }, (_, i) => `http://edge.test/v1/kv/test/together-${i}`);
    const puts = await Promise.all(urls.map((url, i) => send(url, { method: "PUT", body: String(i) })));
    expect(new Set(puts.map(({ status }) => status))).toEqual(new Set([204]));
    const gets = await Promise.all(urls.map(async (url) => (await send(url)).text()));
    expect(gets).toEqual(urls.map((_, i) => String(i)));
    expect(whole.requests.length).toBeLessThan(20);
  });

  test("what is sent keeps its sender alive until all who share it are answered", async () => {
    const alive: Promise<unknown>[] = [];
    const forwarder = createForwarder({
      ...{ urls: [whole.url], hash, timeoutMs: 5_000, bodyTimeoutMs: 5_000 },
      waitUntil: (work) => alive.push(work),
    });
    const answers = Promise.all(
      Array.from({ length: 20 }, (_, i) => forwarder.fetch(new Request(`http://edge.test/v1/kv/test/kept-alive-${i}`))),
    );
    await Bun.sleep(0);
    expect(alive.length).toBeGreaterThan(0);
    expect(alive.map((each) => Bun.peek.status(each))).toContain("pending");
    await answers;
    await Promise.all(alive);
  });
});

describe("before slices", () => {
  const [lower, upper] = [region(whole), region(whole)];
  const send = through(lower.url, upper.url);
  afterAll(() => upper.stop());
  const keys = Array.from({ length: 20 }, (_, i) => `slice-${i}`);
  const isLower = (key: string) => (hash(Buffer.from(`test/${key}`)) & 255n) < 128n;

  test("each key goes to its own, and to another where that can't be reached", async () => {
    const url = (key: string) => `http://edge.test/v1/kv/test/${key}`;
    for (const key of keys) expect((await send(url(key), { method: "PUT", body: key })).status).toBe(204);
    await lower.stop();
    whole.requests.length = 0;
    for (const key of keys) {
      const answer = await send(url(key), { method: "PUT", body: "again" });
      // A connection that was open before may break on the way, and then it is not known what became of the write.
      expect([204, ...(isLower(key) ? [503] : [])]).toContain(answer.status);
      expect((await send(url(key))).status).toBe(200);
    }
    await upper.stop();
    const answer = await send(url("none"), { method: "PUT", body: "v" });
    expect(((await answer.json()) as { code: string }).code).toMatch(/^(unavailable|outcome_unknown)$/);
  });
});
