// `npm run load`: the load simulator's command line.

import { writeFileSync } from "node:fs";
import { interruption } from "../src/signals.ts";
import { step } from "../vitess/support/progress.ts";
import { main, option, refuseOthers } from "./cli.ts";
import { DISTRIBUTIONS } from "./load/keys.ts";
import { DEFAULTS, type LoadOptions } from "./load/options.ts";
import { plots, summary } from "./load/report.ts";
import { runLoad } from "./load/run.ts";
import { KINDS, WORKLOADS } from "./load/workloads.ts";
import { writePlot } from "./plot.ts";

const args = {
  url: option("Server on this machine; several over one database with commas between them", "url", DEFAULTS.url),
  workload: option(
    `${WORKLOADS.join(", ")}. a, b, c: YCSB's, 50, 95 and 100% reads; write: PUTs; churn: PUTs and DELETEs; expiring: PUTs with short TTLs; ttl: short TTLs, their changes, DELETEs; hot: one key, 50% reads; counters: read and increased by compare-and-swap; increments: added to; limiter: added to by a rate limiter's Lua script; locks: taken by create-only PUTs with short TTLs, released by DELETEs. Or calls of one kind: ${KINDS.join(", ")}`,
    "name",
    DEFAULTS.workload,
  ),
  distribution: option(`${DISTRIBUTIONS.join(" or ")} (YCSB's scrambled)`, "name", DEFAULTS.distribution),
  keys: option("Number of keys", "n", DEFAULTS.keys),
  "value-bytes": option("Size of a value", "n", DEFAULTS.valueBytes),
  seconds: option("How long to measure", "n", DEFAULTS.seconds),
  warmup: option("Seconds before that, which are checked but not measured", "n", DEFAULTS.warmup),
  clients: option("Connections; 1,16,64 measures one number after the other", "n", DEFAULTS.clients),
  rate: option("Calls per second whatever becomes of them (open loop); latency counts from when a call was due", "n"),
  namespace: option("Namespace; no two runs may use one at once", "name", DEFAULTS.namespace),
  fill: { type: "boolean", description: "Write every key first", default: DEFAULTS.fill },
  json: option("Write all results to a file", "file"),
  svg: option("Draw throughput and latency over clients to a file", "file"),
} as const;

const meta = { name: "load", description: "Simulates clients, measures them, and checks every answer" };
await main(meta, args, async (given) => {
  refuseOthers(given._);
  const { url, workload, distribution, rate, namespace, fill, json, svg } = given;
  const options = {
    ...{ url, workload, distribution, namespace, fill },
    keys: Number(given.keys),
    valueBytes: Number(given["value-bytes"]),
    seconds: Number(given.seconds),
    warmup: Number(given.warmup),
    clients: given.clients.split(",").map(Number),
    rate: rate === undefined ? undefined : Number(rate),
  };
  const result = await runLoad(options as LoadOptions, { signal: interruption().signal, step });
  console.log(summary(result));
  if (json) writeFileSync(json, `${JSON.stringify(result, undefined, 2)}\n`);
  if (svg && result.steps.length > 0) writePlot(svg, plots(result));
  return result.violations > 0 ? 1 : result.interrupted ? 130 : 0;
});
