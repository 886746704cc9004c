// What the comparison's figures mean: the bars that the store is held to, and the tables.

import { atLeast, atMost, type Bar } from "../bars.ts";
import { find, type Measured, RATE_COLUMNS, rateCells } from "../measure.ts";
import { figure, table } from "../report.ts";
import { OPERATIONS, type Operation, type System } from "../system.ts";

export const CONNECTIONS = 1_000;
export const FEW_CONNECTIONS = 64;
/** More made it slower. */
export const SYSBENCH_THREADS = 64;

export const NAMES = {
  kv: "vitess-kv",
  direct: "vitess-kv, KV_COALESCE=false",
  sysbench: "sysbench at vtgate, a statement per call",
  etcd: "etcd's HTTP gateway, one node",
  hono: 'Hono on Bun answering "ok"',
};

/** What is asked of the store, as a ratio of two figures each. */
export function judge(measured: Measured[]): Bar[] {
  type Which = [name: string, operation: Operation, connections?: number];
  const rate = (...which: Which) => find(measured, ...which)?.perSecond ?? Number.NaN;
  const latency = (...which: Which) => find(measured, ...which)?.p50Ms ?? Number.NaN;
  const get = rate(NAMES.kv, "get", CONNECTIONS);
  const put = rate(NAMES.kv, "put", CONNECTIONS);
  const few = `${FEW_CONNECTIONS} connections`;
  return [
    atLeast("GET, against sysbench's point selects", 5, get / rate(NAMES.sysbench, "get")),
    atLeast("PUT, against sysbench's upserts", 20, put / rate(NAMES.sysbench, "put")),
    atLeast("GET, against etcd's gateway", 2.6, get / rate(NAMES.etcd, "get")),
    atLeast("PUT, against etcd's gateway", 1.8, put / rate(NAMES.etcd, "put")),
    atLeast('GET, against Hono answering "ok" (stretch)', 0.5, get / rate(NAMES.hono, "get")),
    ...OPERATIONS.flatMap((operation) => [
      atMost(
        `${operation.toUpperCase()}, median latency on 1 connection, against KV_COALESCE=false`,
        1.15,
        latency(NAMES.kv, operation, 1) / latency(NAMES.direct, operation, 1),
      ),
      atLeast(
        `${operation.toUpperCase()}, ${few}, against KV_COALESCE=false`,
        3,
        rate(NAMES.kv, operation, FEW_CONNECTIONS) / rate(NAMES.direct, operation, FEW_CONNECTIONS),
      ),
    ]),
  ];
}

/** A row for each system; its rates as multiples of each reference's stand on the right, GET and PUT. */
export function resultTable(systems: System[], measured: Measured[]): string {
  const references = { sysbench: NAMES.sysbench, etcd: NAMES.etcd, Hono: NAMES.hono };
  const rows = systems.map(({ name, connections }) => {
    const ratios = Object.values(references).map((reference) =>
      OPERATIONS.map((operation) => {
        const own = find(measured, name, operation, connections);
        const other = find(measured, reference, operation);
        return figure(own && other && own.perSecond / other.perSecond);
      }).join(" / "),
    );
    return [name, String(connections), ...rateCells(measured, name, connections), ...ratios];
  });
  const against = Object.keys(references).map((name) => `÷ ${name}, GET / PUT`);
  return table(["System", "connections", ...RATE_COLUMNS, ...against], rows);
}

/**
 * What each load kept busy. The microseconds are of all cores together, for one call, without the load generator's:
 * what others do on the machine changes them little.
 */
export function coresTable(measured: Measured[]): string {
  const first = ["load generator", "server"];
  const last = ["others"];
  const named = new Set(measured.flatMap(({ cores }) => Object.keys(cores)));
  const groups = [...first, ...[...named].filter((group) => ![...first, ...last].includes(group)), ...last];
  const rows = measured.map(({ system, connections, operation, perSecond, cores }) => {
    const { "load generator": _, others: __, ...own } = cores;
    const total = Object.values(own).reduce((sum, used) => sum + used, 0);
    return [
      `${operation.toUpperCase()} ${system}, ${connections}`,
      ...groups.map((group) => (group in cores ? (cores[group] ?? 0).toFixed(2) : "–")),
      figure((total * 1e6) / perSecond),
    ];
  });
  return table(["Load", ...groups, "µs per call"], rows);
}
