// What watching costs: servers over one cluster that count and log, that trace one request in a hundred besides, and that
// do nothing of it, in turns.

import { setImmediate } from "node:timers/promises";
import pino from "pino";
import { Journal } from "../../src/telemetry/journal.ts";
import { Metrics } from "../../src/telemetry/metrics.ts";
import { Tracing } from "../../src/telemetry/tracing.ts";
import { step } from "../../vitess/support/progress.ts";
import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { atMost, barTable } from "../bars.ts";
import { CALLS, put, urls, wholeServer } from "../in-process.ts";
import { find, type Measured, RATE_COLUMNS, rateCells } from "../measure.ts";
import { findOha } from "../parts.ts";
import { type Findings, figure, median, packageVersion, table, versionOf } from "../report.ts";
import type { Rig } from "../rig.ts";
import { KEYS, OPERATIONS, type Operation, VALUE_BYTES } from "../system.ts";
import { measureVariants } from "../turns.ts";

const CONNECTIONS = 1_000;
const OFF = "off";
const COUNTED = "metrics and logs";
const TRACED = "the same, and traces of 1%";
const RATIO = 0.01;
/** In this process: longer than traces wait before they are sent, in turns. */
const IN_PROCESS = { turns: 9, turnMs: 1_500 };
const REQUESTS: Record<Operation, (url: string) => Request> = { get: (url) => new Request(url), put };

/** Microseconds of CPU for each call, by operation. */
type Micros = Record<Operation, number>;

export async function telemetry(rig: Rig): Promise<Findings> {
  const { options, signal } = rig;
  const oha = await findOha(signal);
  // Takes what a collector would, which is elsewhere; here its share of the CPU is the traced server's loss.
  const collector = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => Response.json({}) });
  try {
    const endpoint = collector.url.href.replace(/\/$/, "");
    const variants = {
      [OFF]: { environment: { KV_METRICS: "false" } },
      [COUNTED]: {},
      [TRACED]: { environment: { KV_TRACE_RATIO: String(RATIO), OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } },
    };
    const measured = await measureVariants(rig, variants, [CONNECTIONS]);
    const inProcess = await step("in this process", () => measureInProcess(endpoint, signal));
    const share = (operation: Operation, name: string) =>
      ((inProcess[name] as Micros)[operation] - (inProcess[OFF] as Micros)[operation]) /
      micros(measured, operation, OFF);
    const bars = OPERATIONS.flatMap((operation) => {
      const title = operation.toUpperCase();
      return [
        atMost(`${title}: CPU of ${COUNTED}, of all that a call takes`, 0.03, share(operation, COUNTED)),
        atMost(`${title}: CPU of ${TRACED}, of all that a call takes`, 0.05, share(operation, TRACED)),
      ];
    });
    const rows = Object.keys(variants).map((name) => [
      name,
      ...rateCells(measured, name, CONNECTIONS),
      ...OPERATIONS.map((operation) => figure(micros(measured, operation, name))),
      ...OPERATIONS.map((operation) => figure((inProcess[name] as Micros)[operation])),
    ]);
    const columns = ["all CPU, µs", "in process, µs"].flatMap((title) =>
      OPERATIONS.map((operation) => `${operation.toUpperCase()}: ${title}`),
    );
    return {
      versions: {
        vitess: VITESS_VERSION,
        oha: versionOf(oha, /oha (\S+)/),
        "prom-client": packageVersion("prom-client"),
      },
      method: `Values of ${VALUE_BYTES} bytes under ${figure(KEYS)} keys, ${figure(CONNECTIONS)} connections; each figure measured for ${options.seconds} s after ${options.warmupSeconds} s of warm-up, the median of ${options.rounds} rounds that alternate the servers. All CPU is that of server and cluster, without the load generator. Rates differ by more from one round to the next than what is looked for. So the bars are of what a server without sockets and database takes in this process, in batches of ${CALLS} calls, the median of ${IN_PROCESS.turns} turns, as a share of all CPU of a call.`,
      data: { measured, inProcess, bars },
      markdown: [
        table(["Server", ...RATE_COLUMNS, ...columns], rows),
        "## Bars, against a server with all of it off",
        barTable(bars),
      ].join("\n\n"),
    };
  } finally {
    collector.stop(true);
  }
}

/** What a call takes, by variant. */
async function measureInProcess(endpoint: string, signal: AbortSignal): Promise<Record<string, Micros>> {
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = endpoint;
  const journals = [new Journal(1_000), new Journal(1_000)] as const;
  const tracing = new Tracing(RATIO, journals[1]);
  const log = pino({ level: "silent" });
  const observed = (journal: Journal, tracing?: Tracing) => {
    const metrics = new Metrics({ journal, log, tracing });
    return wholeServer({ requests: metrics, calls: metrics.calls });
  };
  const servers = { [OFF]: wholeServer(), [COUNTED]: observed(journals[0]), [TRACED]: observed(journals[1], tracing) };
  const turns: Record<string, Record<Operation, number[]>> = {};
  for (let turn = 0; turn < IN_PROCESS.turns; turn++) {
    for (const [name, server] of Object.entries(servers)) {
      for (const operation of OPERATIONS) {
        signal.throwIfAborted();
        turns[name] ??= { get: [], put: [] };
        turns[name][operation].push(await turnMicros(server, REQUESTS[operation]));
      }
    }
  }
  await tracing.close();
  return Object.fromEntries(
    Object.entries(turns).map(([name, { get, put }]) => [name, { get: median(get), put: median(put) }]),
  );
}

async function turnMicros(server: ReturnType<typeof wholeServer>, request: (url: string) => Request): Promise<number> {
  const before = process.cpuUsage();
  const until = performance.now() + IN_PROCESS.turnMs;
  let calls = 0;
  while (performance.now() < until) {
    await Promise.all(urls.map((url) => server.fetch(request(url))));
    // What waits for a turn of its own, such as what is sent to the collector, has it.
    await setImmediate();
    calls += CALLS;
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / calls;
}

/** Of all CPU but the load generator's, for each call, the median of the rounds. */
function micros(measured: Measured[], operation: Operation, name: string): number {
  const rounds = find(measured, name, operation)?.rounds ?? [];
  return median(
    rounds.map(({ cores, perSecond }) => {
      const { "load generator": _, others: __, ...ours } = cores;
      return (1e6 * Object.values(ours).reduce((sum, used) => sum + used, 0)) / perSecond;
    }),
  );
}
