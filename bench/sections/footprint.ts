// What the capacity model needs to know beside the other benchmarks: bytes of a row, memory of a connection, and CPU of
// a cluster that nobody calls.

import { createConnection } from "mysql2/promise";
import { entryKey } from "../../src/store/store.ts";
import { step } from "../../vitess/support/progress.ts";
import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { clusterGroups, memoryMb, withCores } from "../cpu.ts";
import { sizeOf, truncate } from "../disk.ts";
import { fillRows } from "../fill.ts";
import { Connections, connectionOptions } from "../load/connections.ts";
import { type Findings, figure, packageVersion, table } from "../report.ts";
import type { Rig } from "../rig.ts";

/** Of each size so many bytes: enough rows that the tree's edges do not count. */
const ROWS = { valueBytes: [32, 256, 1_000, 4_000, 10_000, 100_000], totalBytes: 60e6, most: 200_000 };
/** `size/` and 16 digits; then content type, version, expiry and what InnoDB keeps with a row. */
const OTHER_BYTES = 21 + 24 + 16 + 8 + 24;
const DAY = { afterMs: 86_400_000 };
const CONNECTIONS = { server: 5_000, vtgate: 1_000, atOnce: 100 };
/** Until what was needed for opening them is let go of. */
const SETTLE_MS = 3_000;

export async function footprint(rig: Rig): Promise<Findings> {
  const { tablets } = await rig.cluster();
  await rig.makeTable();
  const idle = await idleTabletCores(rig);
  const rows = await measureRows(rig);
  const kb = { server: await serverConnectionKb(rig), vtgate: await gateConnectionKb(rig) };
  const expiring = rows.filter(({ expires }) => expires);
  const fills = (least: number, most: number) =>
    expiring.filter(({ valueBytes }) => valueBytes >= least && valueBytes <= most).map(({ fill }) => fill);
  // Named as the inputs of the capacity model that they replace.
  const inputs = {
    fill: fills(256, 256),
    inPageFill: fills(1_000, 4_000),
    ttlIndexBytes: expiring.map(({ indexBytes }) => indexBytes),
    plainIndexBytes: rows.filter(({ expires }) => !expires).map(({ indexBytes }) => indexBytes),
    connectionKb: [kb.server],
    gateConnectionKb: [kb.vtgate],
    idleTabletCores: [idle],
  };
  return {
    versions: { vitess: VITESS_VERSION, mysql2: packageVersion("mysql2") },
    method: `Rows arrive in random order; each connection has been used. ${figure(tablets.length)} tablets that nobody called took ${figure(idle)} cores each.`,
    data: { inputs: Object.fromEntries(Object.entries(inputs).map(([name, values]) => [name, { values }])), rows },
    markdown: [
      table(
        ["Bytes of a value", "of its row in the table", "of it used", "in the index of expiries"],
        rows.map(({ valueBytes, expires, rowBytes, indexBytes, fill }) => [
          `${figure(valueBytes)}${expires ? "" : ", no expiry"}`,
          ...[figure(rowBytes), `${figure(100 * fill)}%`, figure(indexBytes)],
        ]),
      ),
      table(
        ["Of each", "has"],
        [
          ["HTTP connection, kB of the server", figure(kb.server)],
          ["session, kB of vtgate", figure(kb.vtgate)],
        ],
      ),
    ].join("\n\n"),
  };
}

/** Of a vttablet and its mysqld. */
async function idleTabletCores(rig: Rig): Promise<number> {
  const cluster = await rig.cluster();
  const { cores } = await withCores(clusterGroups(cluster), async () => {
    await Bun.sleep(1000 * rig.options.seconds);
    return { cpuSeconds: 0 };
  });
  return ((cores.vttablets ?? 0) + (cores.mysqlds ?? 0)) / cluster.tablets.length;
}

/** What entries of several sizes take on disk, when they arrive in random order as keys of a hash do. */
async function measureRows(rig: Rig) {
  const cluster = await rig.cluster();
  const sizes = [];
  const keyOf = (row: number) => entryKey("size", Bun.hash.xxHash64(String(row)).toString(16).padStart(16, "0"));
  for (const [valueBytes, expires] of [[256, false], ...ROWS.valueBytes.map((size) => [size, true])] as [
    number,
    boolean,
  ][]) {
    await truncate(cluster);
    const rows = Math.min(ROWS.most, Math.floor(ROWS.totalBytes / valueBytes));
    const value = Buffer.alloc(valueBytes, "v");
    await fillRows(rig, { rows, keyOf, expiry: expires ? DAY : "never", value });
    const { rowBytes, indexBytes } = await sizeOf(cluster, rows);
    sizes.push({ valueBytes, expires, rowBytes, indexBytes, fill: (valueBytes + OTHER_BYTES) / rowBytes });
  }
  await truncate(cluster);
  return sizes;
}

/** Each has made one call. */
async function serverConnectionKb(rig: Rig): Promise<number> {
  const { url, pid } = await rig.startServer();
  const request = Buffer.from("GET /v1/kv/bench/absent HTTP/1.1\r\nHost: bench\r\n\r\n");
  const answered = Promise.withResolvers<void>();
  let answers = 0;
  const connections = new Connections(connectionOptions([url], CONNECTIONS.server), {
    ready: (connection) => connection.send(request),
    answered: () => {
      answers += 1;
      if (answers === CONNECTIONS.server) answered.resolve();
    },
    broken: (_, __, reason) => answered.reject(new Error(reason)),
  });
  const before = memoryMb(pid);
  return await step(`${figure(CONNECTIONS.server)} connections to the server`, async () => {
    connections.resize(CONNECTIONS.server);
    await answered.promise;
    await Bun.sleep(SETTLE_MS);
    const kb = ((memoryMb(pid) - before) * 1e3) / CONNECTIONS.server;
    connections.resize(0);
    return kb;
  });
}

async function gateConnectionKb(rig: Rig): Promise<number> {
  const [{ url, pid }] = (await rig.cluster()).vtgates;
  const open = async () => {
    const connection = await createConnection(url);
    await connection.query("SELECT 1");
    return connection;
  };
  const sessions: Awaited<ReturnType<typeof open>>[] = [];
  const before = memoryMb(pid as number);
  return await step(`${figure(CONNECTIONS.vtgate)} sessions of vtgate`, async () => {
    try {
      while (sessions.length < CONNECTIONS.vtgate) {
        rig.signal.throwIfAborted();
        sessions.push(...(await Promise.all(Array.from({ length: CONNECTIONS.atOnce }, open))));
      }
      await Bun.sleep(SETTLE_MS);
      return ((memoryMb(pid as number) - before) * 1e3) / sessions.length;
    } finally {
      for (const session of sessions) session.destroy();
    }
  });
}
