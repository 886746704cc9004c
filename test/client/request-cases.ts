// How the client's calls travel, and how they fail, over a real server: as in cases.ts, alike in every runtime.

import { deepStrictEqual as equal, ok } from "node:assert";
import { type ClientOptions, KVError } from "../../src/client/index.ts";
import { type Case, type Given, pause, range, rejects } from "./cases.ts";

/** A client whose requests are counted. `answer` may answer in the server's place: errors that can't be provoked. */
function observed({ connect }: Given, options: Partial<ClientOptions> = {}, answer?: (attempt: number) => unknown) {
  const requests: string[] = [];
  const kv = connect({
    ...options,
    async fetch(url, init) {
      requests.push(`${init.method}`);
      return ((await answer?.(requests.length)) as Response | undefined) ?? fetch(url, init);
    },
  });
  return { kv, requests };
}

const problem = (code: string, headers?: Record<string, string>) =>
  Response.json({ status: 503, code, detail: "A fake." }, { status: 503, headers });

export const REQUEST_CASES: Case[] = [
  {
    name: "a thousand gets at once are one request, and each has its own answer",
    async run(given) {
      const { kv, requests } = observed(given);
      const keys = range(1_000);
      await Promise.all(keys.filter((_, i) => i % 2).map((key) => kv.put(key, key)));
      equal(requests, ["POST"]);
      equal(
        await Promise.all(keys.map((key) => kv.get(key))),
        keys.map((key, i) => (i % 2 ? key : null)),
      );
      equal(requests, ["POST", "POST"]);
    },
  },
  {
    name: "a batch of all kinds of calls, in their order on each key, and one that is refused",
    async run(given) {
      const { kv, requests } = observed(given);
      const refused = kv.put("wrong", "x", { ttl: -1 }).catch((error) => error.code);
      const calls = [
        ...[kv.put("a", "1", { ttl: 60 }), kv.get("a"), kv.persist("a"), kv.ttl("a"), kv.delete("a"), kv.head("a")],
        ...[kv.increment("n").then(({ value }) => value), kv.increment("n", { by: 2 }).then(({ value }) => value)],
      ];
      const [etag, ...others] = await Promise.all(calls);
      ok(typeof etag === "string");
      equal(others, ["1", true, { ttlMs: null, expiresAt: null }, true, null, 1n, 3n]);
      equal(await refused, "invalid_ttl");
      equal(requests, ["POST"]);
    },
  },
  {
    name: "without batching, each call is a request",
    async run(given) {
      const { kv, requests } = observed(given, { batching: false });
      await Promise.all(range(5).map((key) => kv.put(key, key)));
      equal(await Promise.all(range(5).map((key) => kv.get(key))), range(5));
      equal(requests, [...range(5).map(() => "PUT"), ...range(5).map(() => "GET")]);
    },
  },
  {
    name: "calls on one key, one after the other, whatever their sizes are",
    async run({ kv }) {
      const large = "x".repeat(100_000);
      const calls = [kv.put("k", "1"), kv.get("k"), kv.put("k", large), kv.get("k"), kv.put("k", "2"), kv.get("k")];
      const results = await Promise.all(calls);
      equal([results[1], results[3], results[5]], ["1", large, "2"]);
    },
  },
  {
    name: "what was not done is sent again, no sooner than asked, and what may have been done is not",
    async run(given) {
      const times: number[] = [];
      const overloaded = (attempt: number) => {
        times.push(performance.now());
        return attempt === 1 && problem("overloaded", { "Retry-After": "1" });
      };
      const { kv } = observed(given, {}, (attempt) => overloaded(attempt) || undefined);
      ok(await kv.put("k", "v"));
      equal(times.length, 2);
      // Clocks of runtimes are coarse.
      ok((times[1] as number) - (times[0] as number) > 900);
      const unknown = observed(given, {}, () => problem("outcome_unknown"));
      await rejects(unknown.kv.put("k", "w"), { code: "outcome_unknown", status: 503, outcomeUnknown: true });
      equal(unknown.requests.length, 1);
      equal(await kv.get("k"), "v");
    },
  },
  {
    name: "nobody who listens",
    async run({ connect, closedUrl }) {
      const kv = connect({ url: closedUrl, retries: 1 });
      const error: KVError = await kv.put("k", "v").then(
        () => ok(false),
        (error) => error,
      );
      ok(error instanceof KVError);
      equal(error.status, 0);
      // Some runtimes don't say that there was no connection.
      ok(error.code === "unreachable" || error.code === "network");
      equal(error.outcomeUnknown, error.code === "network");
      await rejects(kv.get("k"), { code: error.code, outcomeUnknown: false });
    },
  },
  {
    name: "a timeout",
    async run({ connect, silentUrl }) {
      const kv = connect({ url: silentUrl, timeoutMs: 100 });
      await rejects(kv.get("k"), { code: "timeout", status: 0, outcomeUnknown: false });
      await rejects(kv.put("k", "v"), { code: "timeout", status: 0, outcomeUnknown: true });
    },
  },
  {
    name: "calls that are given up, before and while they are under way",
    async run(given) {
      const { kv, requests } = observed(given);
      const early = new AbortController();
      const taken = kv.put("k", "v", { signal: early.signal });
      early.abort(new Error("early"));
      await rejects(taken, { message: "early" });
      await rejects(kv.get("k", { signal: early.signal }), { message: "early" });
      equal(requests, []);
      const silent = given.connect({ url: given.silentUrl });
      const late = new AbortController();
      const calls = range(3).map((key) => silent.get(key, { signal: late.signal }));
      await pause(50);
      late.abort(new Error("late"));
      for (const call of calls) await rejects(call, { message: "late" });
      await rejects(silent.get("k", { signal: AbortSignal.timeout(50) }), { name: "TimeoutError" });
    },
  },
  {
    name: "errors with a code, a status and the request's name, and without key and value",
    async run({ kv }) {
      for (const call of [kv.put("secret", "secret", { ttl: -1 }), kv.put("secret", "secret", { metadata: LONG })]) {
        const error: KVError = await call.then(
          () => ok(false),
          (error) => error,
        );
        ok(error instanceof KVError && error instanceof Error);
        equal([error.name, error.status, error.outcomeUnknown], ["KVError", 400, false]);
        ok(/^invalid_\w+$/.test(error.code) && (error.requestId?.length ?? 0) > 10);
        ok(!`${error}${JSON.stringify(error)}`.includes("secret"));
      }
      await kv.put("k", "secret");
      await rejects(kv.get("k", { type: "json" }), { code: "not_json", message: "not_json: The value is not JSON." });
      await rejects(kv.pages({ cursor: "none" }).next(), { code: "invalid_cursor", status: 400 });
    },
  },
  {
    name: "tokens",
    async run(given) {
      const { tokens, kv, connect } = given;
      if (!tokens) return;
      await kv.put("k", "v");
      const reader = observed(given, { token: tokens.reader });
      equal(await Promise.all([reader.kv.get("k"), reader.kv.get("none")]), ["v", null]);
      const forbidden = rejects(reader.kv.put("k", "w"), { code: "forbidden", status: 403, outcomeUnknown: false });
      equal(await reader.kv.get("k"), "v");
      await forbidden;
      await rejects(connect({ token: "wrong" }).get("k"), { code: "unauthorized", status: 401 });
      equal(await connect({ token: async () => tokens.all }).get("k"), "v");
    },
  },
];

const LONG = "x".repeat(2_000);
