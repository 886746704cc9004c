// What each layer of the server costs by itself, without sockets and without a database.

import { Hono } from "hono";
import { format, type SqlValue } from "mysql2";
import { Bench } from "tinybench";
import { upsert } from "../../src/database/statements.ts";
import { keyOf } from "../../src/http/path.ts";
import type { Entry, EntryKey, Store } from "../../src/store/store.ts";
import { newRevision, newVersion } from "../../src/store/version.ts";
import { step } from "../../vitess/support/progress.ts";
import {
  appOver,
  batchingOverNothing,
  CALLS,
  DEADLINE_MS,
  entry,
  found,
  keys,
  put,
  urls,
  wholeServer,
} from "../in-process.ts";
import { type Findings, figure, packageVersion, table } from "../report.ts";
import type { Rig } from "../rig.ts";
import { VALUE_BYTES } from "../system.ts";

/** A layer is measured for this share of what a load on the whole is. */
const SHARE = 0.1;

export async function layers({ options, signal }: Rig): Promise<Findings> {
  const [time, warmupTime] = [SHARE * options.seconds, SHARE * options.warmupSeconds];
  const bench = new Bench({ time: 1000 * time, warmupTime: 1000 * warmupTime, signal, throws: true });
  const all = makeLayers();
  for (const [name, run] of Object.entries(all)) bench.add(name, async () => void (await run()));
  await step("the layers", async (report) => {
    bench.addEventListener("cycle", ({ task }) => report(task?.name ?? ""));
    await bench.run();
  });
  signal.throwIfAborted();
  const measured = Object.keys(all).map((layer) => {
    const result = bench.getTask(layer)?.result;
    if (result?.state !== "completed") throw new Error(`${layer} was not measured`);
    // The mean and not the median, because garbage collection is part of the cost.
    return { layer, nsPerCall: (result.latency.mean * 1e6) / CALLS, marginPercent: result.latency.rme };
  });
  return {
    versions: {
      tinybench: packageVersion("tinybench"),
      hono: packageVersion("hono"),
      mysql2: packageVersion("mysql2"),
    },
    method: `The mean over ${figure(time)} s of calls in one thread after ${figure(warmupTime)} s of warm-up, with its 95% margin; values of ${VALUE_BYTES} bytes.`,
    data: { measured },
    markdown: table(
      ["Layer", "ns per call", "±", "calls/s"],
      measured.map(({ layer, nsPerCall, marginPercent }) => [
        ...[layer, figure(nsPerCall), `${figure(marginPercent)}%`, figure(1e9 / nsPerCall)],
      ]),
    ),
  };
}

/** The path of the keys in our own API, and how others name the same. */
const OWN = "/v1/kv/bench/";
const CLOUDFLARE = "/client/v4/accounts/any/storage/kv/namespaces/bench/values/";
const REDIS = "/redis/bench/get/";
const BOUND = { "KV-Namespace": "bench" };

/** Each makes CALLS calls. */
function makeLayers(): Record<string, () => unknown> {
  const batching = batchingOverNothing();
  const [app, whole] = [appOver(stubStore(found)), wholeServer()];
  const ok = new Hono().get("/v1/kv/:ns/:key", (c) => c.text("ok"));
  const inTurn = (run: (url: string) => unknown) => async () => {
    for (const url of urls) await run(url);
  };
  const atOnce = (run: (key: EntryKey) => unknown) => () => Promise.all(keys.map(run));
  const puts = keys.map((key) => ({ key, revision: newRevision(newVersion()), expiry: entry.expiry, content: entry }));
  const statement = upsert(puts);
  return {
    "keyOf: the key of a URL": () => urls.map((url) => keyOf({ url })),
    "a Request, GET, made for the rows below": () => urls.map((url) => new Request(url)),
    "a Request, PUT, made for the rows below": () => urls.map(put),
    'Hono with one route that answers "ok", GET': inTurn((url) => ok.fetch(new Request(url))),
    "the app over a store that does nothing, GET": inTurn((url) => app.fetch(new Request(url))),
    "the same through Cloudflare's REST API, GET": inTurn((url) =>
      app.fetch(new Request(url.replace(OWN, CLOUDFLARE))),
    ),
    "the same through the binding env.KV, GET": inTurn((url) =>
      app.fetch(new Request(url.replace(OWN, "/"), { headers: BOUND })),
    ),
    "the same through Redis commands over REST, GET": inTurn((url) => app.fetch(new Request(url.replace(OWN, REDIS)))),
    "the app over a store that does nothing, PUT": inTurn((url) => app.fetch(put(url))),
    "batching over a table that does nothing, gets at once": atOnce((key) => batching.get(key)),
    "batching over a table that does nothing, puts at once": atOnce((key) => batching.put(key, entry)),
    "batching over a table that does nothing, expires at once": atOnce((key) =>
      batching.expire(key, { afterMs: DEADLINE_MS }),
    ),
    "the statement of a batch of puts": () => upsert(puts),
    "mysql2's text of it": () => format(statement.sql, statement.params as SqlValue[]),
    "all but sockets and the database, GETs at once": () =>
      Promise.all(urls.map((url) => whole.fetch(new Request(url)))),
    "all but sockets and the database, PUTs at once": () => Promise.all(urls.map((url) => whole.fetch(put(url)))),
  };
}

/** Has every key and keeps nothing. */
function stubStore(entry: Entry): Store {
  return {
    get: async () => entry,
    head: async () => entry,
    put: async () => entry.version,
    delete: async () => true,
    expire: async () => ({ outcome: "absent" }),
    persist: async () => false,
    transact: async () => null,
    update: async (_, { apply }) => apply(null, { nowMs: 0, version: entry.version }).answer,
    list: async () => ({ entries: [], rest: null }),
    ping: async () => {},
  };
}
