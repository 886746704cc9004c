// What it costs that nothing stale is read: a server with leases and one without, over one cluster, in turns, and beside them
// a server of another version where there is one.

import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { atLeast, atMost, barTable } from "../bars.ts";
import { RATE_COLUMNS, rateCells } from "../measure.ts";
import { findOha } from "../parts.ts";
import { type Findings, figure, table, versionOf } from "../report.ts";
import type { Rig } from "../rig.ts";
import { KEYS, OPERATIONS, VALUE_BYTES } from "../system.ts";
import { measureVariants, ratioOf, type Variant } from "../turns.ts";

const [MANY, ONE] = [1_000, 1];
const ON = "leases of 2 s";
const OFF = "KV_READ_LEASE_MS=0";
const BEFORE = "the version before";

export async function leases(rig: Rig): Promise<Findings> {
  const oha = await findOha(rig.signal);
  const program = process.env.KV_BENCH_BEFORE;
  const variants: Record<string, Variant> = {
    ...(program && { [BEFORE]: { program } }),
    [OFF]: { environment: { KV_READ_LEASE_MS: "0" } },
    [ON]: {},
  };
  const measured = await measureVariants(rig, variants, [MANY, ONE]);
  const others = Object.keys(variants).filter((name) => name !== ON);
  const bars = others.flatMap((other) =>
    OPERATIONS.flatMap((operation) => {
      const many = { connections: MANY, operation };
      const one = { connections: ONE, operation };
      const name = operation.toUpperCase();
      return [
        atLeast(`${name}/s against ${other}`, 0.97, ratioOf(measured, ON, other, many)),
        atMost(`${name}, one connection's median, against ${other}`, 1.1, ratioOf(measured, ON, other, one, "p50Ms")),
      ];
    }),
  );
  const rows = Object.keys(variants).flatMap((name) =>
    [MANY, ONE].map((connections) => [name, figure(connections), ...rateCells(measured, name, connections)]),
  );
  return {
    versions: { vitess: VITESS_VERSION, oha: versionOf(oha, /oha (\S+)/) },
    method: `Values of ${VALUE_BYTES} bytes under ${figure(KEYS)} keys; each figure measured for ${rig.options.seconds} s after ${rig.options.warmupSeconds} s of warm-up, the median of ${rig.options.rounds} rounds that alternate the servers. A bar is the median of the rounds' ratios.`,
    data: { measured, bars },
    markdown: [table(["Server", "connections", ...RATE_COLUMNS], rows), "## Bars", barTable(bars)].join("\n\n"),
  };
}
