// The load generators: oha for HTTP, sysbench for SQL, which report the same figures; and the load simulator.

import { join } from "node:path";
import type { ClusterStatus } from "../vitess/run/status.ts";
import { step } from "../vitess/support/progress.ts";
import type { LoadOptions } from "./load/options.ts";
import { runLoad } from "./load/run.ts";
import { findOha, findSysbench } from "./parts.ts";
import type { Rig } from "./rig.ts";

export interface Load {
  /** Successful answers in a second. */
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Answers by status; an SQL statement's is "ok" or "error". */
  statuses: Record<string, number>;
  /** Calls without an answer, by reason. */
  failures: Record<string, number>;
  /** Of an average answer's body. */
  answerBytes: number;
  /** What the load generator itself used. */
  cpuSeconds: number;
}

export interface HttpLoad {
  connections: number;
  seconds: number;
  method?: "GET" | "PUT" | "POST";
  /** One URL, or a file of URLs, one a line, of which each call takes a random one. */
  url: string | { file: string };
  /** A file that is the body of each call, or one of whose lines is, at random. */
  body?: { file: string } | { linesOf: string };
  headers?: Record<string, string>;
}

/** How oha, and hyper below it, count the calls that were under way when the time was up. */
const CUT_SHORT = ["aborted due to deadline", "operation was canceled"];

/** Sends calls over so many connections, each as soon as the one before has been answered. */
export async function httpLoad(load: HttpLoad, signal: AbortSignal): Promise<Load> {
  const { connections, seconds, method = "GET", url, body, headers = {} } = load;
  const { output, cpuSeconds } = await runGenerator(
    await findOha(signal),
    [
      "--no-tui",
      "--output-format=json",
      `-c=${connections}`,
      `-z=${seconds}s`,
      `-m=${method}`,
      ...Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]),
      ...(body ? ("file" in body ? ["-D", body.file] : ["-Z", body.linesOf]) : []),
      ...(typeof url === "string" ? [url] : ["--urls-from-file", url.file]),
    ],
    signal,
  );
  const { summary, latencyPercentiles, statusCodeDistribution, errorDistribution } = JSON.parse(output);
  const failures = { ...(errorDistribution as Record<string, number>) };
  for (const reason of CUT_SHORT) delete failures[reason];
  const succeeded = Object.entries(statusCodeDistribution as Record<string, number>)
    .filter(([status]) => status === "200" || status === "204")
    .reduce((sum, [, count]) => sum + count, 0);
  return {
    perSecond: succeeded / summary.total,
    p50Ms: latencyPercentiles.p50 * 1000,
    p99Ms: latencyPercentiles.p99 * 1000,
    statuses: statusCodeDistribution,
    failures,
    answerBytes: summary.sizePerRequest ?? 0,
    cpuSeconds,
  };
}

/** Runs single statements at vtgate, as references/statements.lua words them. */
export async function sqlLoad(
  load: { threads: number; seconds: number; operation: "get" | "put"; keys: number },
  { vtgates: [vtgate] }: ClusterStatus,
  signal: AbortSignal,
): Promise<Load> {
  const { threads, seconds, operation, keys } = load;
  const { output, cpuSeconds } = await runGenerator(
    await findSysbench(signal),
    [
      join(import.meta.dirname, "references/statements.lua"),
      "--db-driver=mysql",
      // vtgate takes prepared statements too; text is what the server sends.
      "--db-ps-mode=disable",
      `--mysql-host=${vtgate.host}`,
      `--mysql-port=${vtgate.port}`,
      `--mysql-user=${vtgate.user}`,
      `--mysql-password=${vtgate.password}`,
      `--mysql-db=${vtgate.database}`,
      `--threads=${threads}`,
      `--time=${seconds}`,
      "--histogram=on",
      `--operation=${operation}`,
      `--keys=${keys}`,
      "run",
    ],
    signal,
  );
  const figure = (name: string) => Number(new RegExp(`^ *${name}: +([\\d.]+)`, "m").exec(output)?.[1] ?? Number.NaN);
  const events = figure("total number of events");
  const histogram = [...output.matchAll(/^ *([\d.]+) \|\** +(\d+)$/gm)].map(
    ([, ms, count]) => [Number(ms), Number(count)] as const,
  );
  return {
    perSecond: events / figure("total time"),
    p50Ms: percentile(histogram, 0.5),
    p99Ms: percentile(histogram, 0.99),
    statuses: { ok: events, ...(figure("ignored errors") > 0 && { error: figure("ignored errors") }) },
    failures: figure("reconnects") > 0 ? { reconnects: figure("reconnects") } : {},
    answerBytes: 0,
    cpuSeconds,
  };
}

/** Runs the load simulator, whose stages are shown under the load's name; `idle` as its hooks have it. */
export async function simulateLoad({ signal }: Rig, name: string, options: LoadOptions, idle?: () => Promise<void>) {
  const titled: typeof step = (title, work) => step(`${name}: ${title}`, work);
  const result = await runLoad(options, { signal, step: titled, idle });
  signal.throwIfAborted();
  return result;
}

function percentile(histogram: (readonly [ms: number, count: number])[], share: number): number {
  const total = histogram.reduce((sum, [, count]) => sum + count, 0);
  let seen = 0;
  for (const [ms, count] of histogram) {
    seen += count;
    if (seen >= share * total) return ms;
  }
  return Number.NaN;
}

async function runGenerator(file: string, args: string[], signal: AbortSignal) {
  signal.throwIfAborted();
  const child = Bun.spawn([file, ...args], { stdin: "ignore", stdout: "pipe", stderr: "pipe", signal });
  const [output, complaint] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  const code = await child.exited;
  signal.throwIfAborted();
  if (code !== 0) throw new Error(`${file} ended with ${code}:\n${complaint.trim() || output.trim()}`);
  // Microseconds, of the child and those that it waited for.
  return { output, cpuSeconds: Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1e6 };
}
