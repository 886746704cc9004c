// What the load simulator can be asked to do, with its defaults and bounds.

import { z } from "zod";
import { NAMESPACE_PATTERN } from "../../src/limits.ts";
import { dashed, Problem } from "../cli.ts";
import { DISTRIBUTIONS } from "./keys.ts";
import { KEY_DIGITS, MARK_BYTES } from "./value.ts";
import { KINDS, needsFill, WORKLOADS } from "./workloads.ts";

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
  workload: z.enum([...WORKLOADS, ...KINDS]).default(DEFAULTS.workload),
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
  namespace: z.string().regex(NAMESPACE_PATTERN, "is 1 to 64 letters, digits, '_' or '-'").default(DEFAULTS.namespace),
  /** Writes every key once before the first measurement. */
  fill: z.boolean().default(DEFAULTS.fill),
});

export type LoadOptions = z.input<typeof schema>;
export type CheckedOptions = z.output<typeof schema>;

/** Throws a Problem that names each wrong option. */
export function checkOptions(options: LoadOptions): CheckedOptions {
  const { success, data, error } = schema.safeParse(options);
  if (!success) {
    throw new Problem(error.issues.map(({ path, message }) => `--${dashed(String(path[0]))}: ${message}`).join("\n"));
  }
  if (needsFill(data.workload) && !data.fill) {
    throw new Problem(`--no-fill: the keys of ${data.workload} have to be written first.`);
  }
  return data;
}
