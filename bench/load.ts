// `npm run load`: the load simulator's command line.

import { writeFileSync } from "node:fs";
import { defineCommand, runMain } from "citty";
import { step } from "../vitess/support/progress.ts";
import { DISTRIBUTIONS } from "./load/keys.ts";
import { DEFAULTS, dashed, LoadProblem } from "./load/options.ts";
import { plots, table } from "./load/report.ts";
import { runLoad } from "./load/run.ts";
import { WORKLOADS } from "./load/workload.ts";
import { writePlot } from "./plot.ts";

const text = (description: string, valueHint: string, fallback?: string | number) =>
  ({ type: "string", description, valueHint, ...(fallback !== undefined && { default: String(fallback) }) }) as const;

const args = {
  url: text("Server on this machine; several over one database with commas between them", "url", DEFAULTS.url),
  workload: text(
    `${WORKLOADS.join(", ")}. a, b, c: YCSB's, 50, 95 and 100% reads; write: PUTs; expiring: PUTs with short TTLs; ttl: short TTLs, their changes, DELETEs; hot: one key (for each process), 50% reads; counters: read and increased by compare-and-swap; locks: taken by create-only PUTs with short TTLs, released by DELETEs`,
    "name",
    DEFAULTS.workload,
  ),
  reads: text("Share of reads, in place of the workload's own", "0..1"),
  distribution: text(`${DISTRIBUTIONS.join(" or ")} (YCSB's scrambled)`, "name", DEFAULTS.distribution),
  keys: text("Number of keys", "n", DEFAULTS.keys),
  "value-bytes": text("Size of a value", "n", DEFAULTS.valueBytes),
  seconds: text("How long to measure", "n", DEFAULTS.seconds),
  warmup: text("Seconds before that, which are checked but not measured", "n", DEFAULTS.warmup),
  clients: text("Connections; 1,16,64 measures one number after the other", "n", DEFAULTS.clients),
  rate: text("Calls per second whatever becomes of them (open loop); latency counts from when a call was due", "n"),
  processes: text("Processes to generate load; each has keys of its own", "n", DEFAULTS.processes),
  addresses: text("Local addresses to connect from (one for each 5,000 clients)", "n"),
  namespace: text("Namespace; no two runs may use one at once", "name", DEFAULTS.namespace),
  fill: { type: "boolean", description: "Write every key first", default: DEFAULTS.fill },
  json: text("Write all results to a file", "file"),
  svg: text("Draw throughput and latency over clients to a file", "file"),
} as const;

const main = defineCommand({
  meta: { name: "load", description: "Simulates clients, measures them, and checks every answer" },
  args,
  async run({ args: given }) {
    const stop = new AbortController();
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => stop.abort());
    try {
      const known = new Set(["_", ...Object.keys(args)]);
      const unknown = Object.keys(given).find((name) => !known.has(dashed(name))) ?? given._[0];
      if (unknown !== undefined) throw new LoadProblem(`There is no option '${unknown}'; --help lists them.`);
      const number = (value: string | undefined) => (value === undefined ? undefined : Number(value));
      const result = await runLoad(
        {
          url: given.url,
          workload: given.workload as (typeof WORKLOADS)[number],
          reads: number(given.reads),
          distribution: given.distribution as (typeof DISTRIBUTIONS)[number],
          keys: Number(given.keys),
          valueBytes: Number(given["value-bytes"]),
          seconds: Number(given.seconds),
          warmup: Number(given.warmup),
          clients: String(given.clients).split(",").map(Number),
          rate: number(given.rate),
          processes: Number(given.processes),
          addresses: number(given.addresses),
          namespace: given.namespace,
          fill: given.fill,
        },
        { signal: stop.signal, step },
      );
      console.log(table(result));
      if (given.json) writeFileSync(given.json, `${JSON.stringify(result, undefined, 2)}\n`);
      if (given.svg && result.steps.length > 0) writePlot(given.svg, plots(result));
      process.exit(result.violations > 0 ? 1 : result.interrupted ? 130 : 0);
    } catch (error) {
      console.error(error instanceof LoadProblem ? error.message : error);
      process.exit(2);
    }
  },
});

await runMain(main);
