// The store beside others under the same load, on the same machine, in the same run.

import { findParts } from "../../vitess/install/parts.ts";
import { step } from "../../vitess/support/progress.ts";
import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { atLeast, atMost, type Bar, barTable, none } from "../bars.ts";
import { DEADLOCKS, deadlocks } from "../deadlocks.ts";
import { fillKeys } from "../fill.ts";
import { coresTable, find, type Measured, measureAll, RATE_COLUMNS, rateCells } from "../measure.ts";
import { findOha, findSysbench, findWebdis } from "../parts.ts";
import { startEtcd } from "../references/etcd.ts";
import { startHono } from "../references/hono.ts";
import { startSysbench } from "../references/sysbench.ts";
import { startWebdis } from "../references/webdis.ts";
import { type Findings, figure, packageVersion, table, versionOf } from "../report.ts";
import type { Rig } from "../rig.ts";
import { storeSystem } from "../store.ts";
import { KEYS, OPERATIONS, type Operation, type System, VALUE_BYTES } from "../system.ts";

const CONNECTIONS = 1_000;
const FEW_CONNECTIONS = 64;
/** More made it slower. */
const SYSBENCH_THREADS = 64;

const NAMES = {
  kv: "vitess-kv",
  direct: "vitess-kv, KV_COALESCE=false",
  sysbench: "sysbench at vtgate, a statement per call",
  etcd: "etcd's HTTP gateway, one node",
  webdis: "webdis and Redis, appendfsync always",
  hono: 'Hono on Bun answering "ok"',
};

export async function compare(rig: Rig): Promise<Findings> {
  const { options, signal } = rig;
  // Installed before anything is measured.
  const oha = await findOha(signal);
  await findSysbench(signal);
  await findWebdis(signal);
  const cluster = await rig.cluster();
  const systems = await step("servers and their entries", () => startSystems(rig));
  const deadlocksBefore = await deadlocks(cluster);
  const measured = await measureAll(rig, systems);
  const found = (await deadlocks(cluster)) - deadlocksBefore;
  const bars = [...judge(measured), none(DEADLOCKS, found)];
  const others = Math.max(...measured.map(({ cores }) => cores.others ?? 0));
  const { mysqld } = (await findParts(signal)).programs;
  const results = resultTable(systems, measured);
  return {
    versions: {
      vitess: VITESS_VERSION,
      mysql: versionOf(mysqld, /Ver (\S+)/),
      hono: packageVersion("hono"),
      mysql2: packageVersion("mysql2"),
      ...Object.assign({}, ...systems.map((system) => system.versions)),
      oha: versionOf(oha, /oha (\S+)/),
    },
    method: `Values of ${VALUE_BYTES} bytes under ${figure(KEYS)} keys, chosen uniformly at random; each figure measured for ${options.seconds} s after ${options.warmupSeconds} s of warm-up${options.rounds > 1 ? `, the median of ${options.rounds} rounds that alternate the systems` : ""}. Meanwhile other programs kept at most ${others.toFixed(2)} cores busy.`,
    data: { measured, bars },
    markdown: [results, "## Bars", barTable(bars), "## Cores in use", coresTable(measured)].join("\n\n"),
  };
}

async function startSystems(rig: Rig): Promise<System[]> {
  const coalescing = await rig.startServer();
  const direct = await rig.startServer({ KV_COALESCE: "false" });
  await fillKeys(rig);
  const both = async (connections: number) => [
    await storeSystem(rig, coalescing, NAMES.kv, connections),
    await storeSystem(rig, direct, NAMES.direct, connections),
  ];
  return [
    ...(await both(CONNECTIONS)),
    await startSysbench(rig, NAMES.sysbench, SYSBENCH_THREADS),
    await startEtcd(rig, NAMES.etcd, CONNECTIONS),
    await startWebdis(rig, NAMES.webdis, CONNECTIONS),
    await startHono(rig, NAMES.hono, CONNECTIONS),
    ...(await both(FEW_CONNECTIONS)),
    ...(await both(1)),
  ];
}

/** What is asked of the store, as a ratio of two figures each. */
function judge(measured: Measured[]): Bar[] {
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
    atLeast("GET, against webdis and Redis (stretch)", 1, get / rate(NAMES.webdis, "get")),
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
function resultTable(systems: System[], measured: Measured[]): string {
  const references = { sysbench: NAMES.sysbench, etcd: NAMES.etcd, webdis: NAMES.webdis, Hono: NAMES.hono };
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
