// What the load simulator can be asked to do, with its defaults and bounds.

import { z } from "zod";
import { NAMESPACE_PATTERN } from "../../src/limits.ts";
import { DISTRIBUTIONS } from "./keys.ts";
import { KEY_DIGITS, MARK_BYTES } from "./value.ts";
import { isCycle, WORKLOADS } from "./workload.ts";

/** A sentence for whoever runs it: the options are wrong, or the server can't be reached. */
export class LoadProblem extends Error {}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;
const NOT_LOOPBACK = "is not this machine: load goes to loopback only";
const isLoopback = (url: string) => LOOPBACK.test(new URL(url).hostname);

const whole = (least: number, most: number) => z.number("must be a whole number").int().min(least).max(most);

export const DEFAULTS = {
  url: "http://127.0.0.1:8787",
  workload: "b",
  distribution: "zipfian",
  keys: 10_000,
  valueBytes: 256,
  seconds: 10,
  warmup: 2,
  clients: 1000,
  processes: 1,
  namespace: "load",
  fill: true,
} as const;

const schema = z.strictObject({
  /** Of a server on this machine, or of several over one database, with commas between them. */
  url: z
    .string()
    .transform((list) => list.split(","))
    .pipe(
      z.array(z.url({ protocol: /^http$/, error: "is the http:// URL of a server" }).refine(isLoopback, NOT_LOOPBACK)),
    )
    .default([DEFAULTS.url]),
  workload: z.enum(WORKLOADS).default(DEFAULTS.workload),
  /** Share of reads, in place of the workload's own. */
  reads: z.number("must be a number").min(0).max(1).optional(),
  distribution: z.enum(DISTRIBUTIONS).default(DEFAULTS.distribution),
  keys: whole(1, 10 ** KEY_DIGITS).default(DEFAULTS.keys),
  valueBytes: whole(MARK_BYTES, 8 * 1024 * 1024).default(DEFAULTS.valueBytes),
  /** Measured, after the warm-up. */
  seconds: whole(1, 86_400).default(DEFAULTS.seconds),
  warmup: whole(0, 3600).default(DEFAULTS.warmup),
  /** Connections; several numbers are measured one after the other. */
  clients: z.array(whole(1, 1_000_000)).min(1).default([DEFAULTS.clients]),
  /** Calls per second over these connections; without it each connection makes its calls one after the other. */
  rate: z.number("must be a number").positive().max(10_000_000).optional(),
  processes: whole(1, 64).default(DEFAULTS.processes),
  /** Local addresses to connect from, 127.0.0.1 onwards; by default as many as that takes without a search for ports. */
  addresses: whole(1, 254).optional(),
  namespace: z.string().regex(NAMESPACE_PATTERN, "is 1 to 64 letters, digits, '_' or '-'").default(DEFAULTS.namespace),
  /** Writes every key once before the first measurement. */
  fill: z.boolean().default(DEFAULTS.fill),
});

export type LoadOptions = z.input<typeof schema>;
export type CheckedOptions = z.output<typeof schema>;

/** Throws a LoadProblem that names each wrong option. */
export function checkOptions(options: LoadOptions): CheckedOptions {
  const { success, data, error } = schema.safeParse(options);
  if (!success) {
    throw new LoadProblem(
      error.issues.map(({ path, message }) => `--${dashed(String(path[0]))}: ${message}`).join("\n"),
    );
  }
  if (isCycle(data.workload) && data.reads !== undefined) {
    throw new LoadProblem(`--reads: how often ${data.workload} read follows from their other calls.`);
  }
  if (data.workload === "counters" && !data.fill) throw new LoadProblem("--no-fill: counters have to be set first.");
  const fewest = Math.min(...data.clients);
  if (data.processes > fewest || data.processes > data.keys) {
    throw new LoadProblem(`--processes: ${data.processes} processes need as many clients and keys each.`);
  }
  return data;
}

/** An option's name on the command line. */
export function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
