// What watching costs: servers over one cluster that count and log, that trace one request in a hundred besides, and that
// do nothing of it, in turns.

import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { atLeast, barTable } from "../bars.ts";
import { find, type Measured, RATE_COLUMNS, rateCells } from "../measure.ts";
import { findOha } from "../parts.ts";
import { type Findings, figure, median, packageVersion, table, versionOf } from "../report.ts";
import type { Rig } from "../rig.ts";
import { KEYS, OPERATIONS, type Operation, VALUE_BYTES } from "../system.ts";
import { measureVariants, ratioOf } from "../turns.ts";

const CONNECTIONS = 1_000;
const OFF = "off";
const COUNTED = "metrics and logs";
const TRACED = "the same, and traces of 1%";

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
      [TRACED]: { environment: { KV_TRACE_RATIO: "0.01", OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } },
    };
    const measured = await measureVariants(rig, variants, [CONNECTIONS]);
    const ratio = (operation: Operation, name: string) =>
      ratioOf(measured, name, OFF, { connections: CONNECTIONS, operation });
    const bars = OPERATIONS.flatMap((operation) => [
      atLeast(`${operation.toUpperCase()}/s, ${COUNTED}`, 0.97, ratio(operation, COUNTED)),
      atLeast(`${operation.toUpperCase()}/s, ${TRACED}`, 0.95, ratio(operation, TRACED)),
    ]);
    const rows = Object.keys(variants).map((name) => [
      name,
      ...rateCells(measured, name, CONNECTIONS),
      ...OPERATIONS.map((operation) => figure(serverMicros(measured, operation, name))),
    ]);
    const micros = OPERATIONS.map((operation) => `${operation.toUpperCase()}: server's CPU, µs`);
    return {
      versions: {
        vitess: VITESS_VERSION,
        oha: versionOf(oha, /oha (\S+)/),
        "prom-client": packageVersion("prom-client"),
      },
      method: `Values of ${VALUE_BYTES} bytes under ${figure(KEYS)} keys, ${figure(CONNECTIONS)} connections; each figure measured for ${options.seconds} s after ${options.warmupSeconds} s of warm-up, the median of ${options.rounds} rounds that alternate the servers. A bar is the median of the rounds' ratios.`,
      data: { measured, bars },
      markdown: [
        table(["Server", ...RATE_COLUMNS, ...micros], rows),
        "## Bars, against a server with all of it off",
        barTable(bars),
      ].join("\n\n"),
    };
  } finally {
    collector.stop(true);
  }
}

function serverMicros(measured: Measured[], operation: Operation, name: string): number {
  const rounds = find(measured, name, operation)?.rounds ?? [];
  return median(rounds.map(({ cores, perSecond }) => ((cores.server ?? Number.NaN) * 1e6) / perSecond));
}
