// Data larger than memory: what a call costs whose row has to come from a disk, beside one whose row is in memory.

import { readFileSync, writeFileSync } from "node:fs";
import { createConnection, type RowDataPacket } from "mysql2/promise";
import { entryKey } from "../../src/store/store.ts";
import type { RunningServer } from "../../vitess/run/server-process.ts";
import type { ClusterStatus } from "../../vitess/run/status.ts";
import { step } from "../../vitess/support/progress.ts";
import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { clusterGroups } from "../cpu.ts";
import { sizeOf } from "../disk.ts";
import { fillRows } from "../fill.ts";
import { httpLoad, type Load } from "../generators.ts";
import { coresTable, type Measured, measureAll } from "../measure.ts";
import { findOha } from "../parts.ts";
import { scattered, uniform } from "../random.ts";
import { type Findings, figure, median, packageVersion, table, versionOf } from "../report.ts";
import type { Rig } from "../rig.ts";
import { linesFile, type Operation, type System } from "../system.ts";

const VALUE_BYTES = 1_000;
/** The least that InnoDB can be given in steps of its usual size. */
const POOL_MB = 128;
/** A little more than the ten times that are promised: a row takes less than this in full pages. */
const TIMES_MEMORY = 10.5;
/** As a row of such a value was measured; how much larger the data is than memory is told as it comes out. */
const ROW_BYTES = 1_853;
const MANY = 1_000;
const CONNECTIONS = [1, MANY];
const WARM = "in memory";
const COLD = "from disk";
/** Of all rows, as many as the load generator can choose from. */
const COLD_KEYS = 250_000;
/** So few that their pages stay in memory, and that the warm-up has read them. */
const warmKeys = (connections: number) => (connections === 1 ? 100 : 2_000);

/** What the disks did for a call, of all mysqlds together. */
interface Disk {
  readBytes: number;
  writtenBytes: number;
  /** Pages that were not in memory. */
  pagesRead: number;
}

export async function cold(rig: Rig): Promise<Findings> {
  const oha = await findOha(rig.signal);
  const cluster = await rig.cluster();
  const poolBytes = cluster.shards.length * POOL_MB * 2 ** 20;
  const rows = Math.ceil((TIMES_MEMORY * poolBytes) / ROW_BYTES);
  const server = await rig.startServer();
  const value = Buffer.alloc(VALUE_BYTES, "v");
  await fillRows(rig, { rows, keyOf: (row) => entryKey("bench", scattered(row)), expiry: "never", value });
  const before = await variable(cluster.tablets[0]?.mysqlSocket as string, "innodb_buffer_pool_size");
  await step("smaller buffer pools", () => setPools(cluster, POOL_MB * 2 ** 20));
  try {
    return await measure(rig, { cluster, server, rows, value, poolBytes, oha });
  } finally {
    await setPools(cluster, before);
  }
}

interface Filled {
  cluster: ClusterStatus;
  server: RunningServer;
  rows: number;
  value: Buffer;
  /** Of all primaries. */
  poolBytes: number;
  oha: string;
}

async function measure(rig: Rig, { cluster, server, rows, value, poolBytes, oha }: Filled): Promise<Findings> {
  const { rowBytes, indexBytes } = await sizeOf(cluster, rows);
  const times = (rows * (rowBytes + indexBytes)) / poolBytes;
  const body = rig.file("cold-value");
  writeFileSync(body, value);

  const disks: Record<string, Disk> = {};
  const io = async () => {
    const pids = cluster.tablets.map(({ pids }) => pids.mysqld as number);
    const pages = await Promise.all(cluster.tablets.map(({ mysqlSocket }) => status(mysqlSocket)));
    const bytes = (name: string) => pids.reduce((sum, pid) => sum + processBytes(pid, name), 0);
    return {
      readBytes: bytes("read_bytes"),
      writtenBytes: bytes("write_bytes"),
      pagesRead: pages.reduce((sum, count) => sum + count, 0),
    };
  };
  const system = (name: string, keys: string[], connections: number): System => {
    const url = {
      file: linesFile(
        rig,
        `cold-${keys.length}.urls`,
        keys.map((key) => `${server.url}/v1/kv/bench/${key}`),
      ),
    };
    const load =
      (operation: Operation) =>
      async (seconds: number): Promise<Load> => {
        const before = await io();
        const put = operation === "put" ? { method: "PUT" as const, body: { file: body } } : {};
        const found = await httpLoad({ connections, seconds, url, ...put }, rig.signal);
        const after = await io();
        const calls = Object.values(found.statuses).reduce((sum, count) => sum + count, 0);
        const each = (of: keyof Disk) => (after[of] - before[of]) / calls;
        disks[`${operation} ${name} ${connections}`] = {
          readBytes: each("readBytes"),
          writtenBytes: each("writtenBytes"),
          pagesRead: each("pagesRead"),
        };
        return found;
      };
    return {
      ...{ name, connections, processes: { server: [server.pid], ...clusterGroups(cluster) }, versions: {} },
      ...{ answerBytes: VALUE_BYTES, get: load("get"), put: load("put") },
    };
  };
  const names = (count: number) => Array.from({ length: count }, () => scattered(uniform(rows)));
  const all = names(COLD_KEYS);
  const measured = await measureAll(
    rig,
    CONNECTIONS.flatMap((connections) => [
      system(WARM, names(warmKeys(connections)), connections),
      system(COLD, all, connections),
    ]),
  );
  const more = (operation: Operation) => {
    const [inMemory, fromDisk] = [WARM, COLD].map((name) => mysqldMicros(measured, operation, name));
    return (fromDisk ?? []).map((micros) => Math.max(0, micros - median(inMemory ?? [])));
  };
  const pages = (operation: Operation) => [disks[`${operation} ${COLD} ${MANY}`]?.pagesRead ?? 0];
  // Named as the inputs of the capacity model that they replace.
  const inputs = {
    ...{ coldReadMicros: more("get"), coldWriteMicros: more("put") },
    ...{ coldReadPages: pages("get"), coldWritePages: pages("put") },
  };
  return {
    versions: { vitess: VITESS_VERSION, mysql2: packageVersion("mysql2"), oha: versionOf(oha, /oha (\S+)/) },
    method: `${figure(rows)} rows with values of ${figure(VALUE_BYTES)} bytes, ${figure(times)} times what the primaries' buffer pools hold; keys chosen uniformly at random, ${CONNECTIONS.map(warmKeys).map(figure).join(" and ")} of them or ${figure(COLD_KEYS)}. Reads and writes of disks are those of all mysqlds together, which don't use the kernel's cache; the median of ${rig.options.rounds} rounds.`,
    data: {
      inputs: Object.fromEntries(Object.entries(inputs).map(([name, values]) => [name, { values }])),
      ...{ measured, disks, times },
    },
    markdown: [
      table(
        ["Call, connections", "/s", "p50 ms", "p99 ms", "pages read", "bytes read", "bytes written"],
        measured.map((each) => [
          titleOf(each),
          ...[each.perSecond, each.p50Ms, each.p99Ms].map(figure),
          ...diskCells(disks[`${each.operation} ${each.system} ${each.connections}`]),
        ]),
      ),
      coresTable(measured),
    ].join("\n\n"),
  };
}

/** Of CPU for a call, of all mysqlds, in each round. */
function mysqldMicros(measured: Measured[], operation: Operation, name: string): number[] {
  const found = measured.find(
    (each) => each.operation === operation && each.system === name && each.connections === MANY,
  );
  return (found?.rounds ?? []).map(({ cores, perSecond }) => (1e6 * (cores.mysqlds as number)) / perSecond);
}

function titleOf({ operation, system, connections }: Measured): string {
  return `${operation.toUpperCase()} ${system}, ${figure(connections)}`;
}

function diskCells(disk: Disk | undefined): string[] {
  return [disk?.pagesRead, disk?.readBytes, disk?.writtenBytes].map(figure);
}

async function setPools({ tablets }: ClusterStatus, bytes: number) {
  for (const { mysqlSocket } of tablets) {
    await ask(mysqlSocket, `SET GLOBAL innodb_buffer_pool_size = ${bytes}`);
    // It gives memory back step by step.
    while ((await variable(mysqlSocket, "innodb_buffer_pool_size")) !== bytes) await Bun.sleep(100);
  }
}

async function variable(socketPath: string, name: string): Promise<number> {
  return Number((await ask(socketPath, `SELECT @@${name} AS value`)).value);
}

async function status(socketPath: string): Promise<number> {
  return Number((await ask(socketPath, "SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_reads'")).Value);
}

async function ask(socketPath: string, sql: string): Promise<RowDataPacket> {
  const connection = await createConnection({ socketPath, user: "vt_dba" });
  try {
    const [rows] = await connection.query<RowDataPacket[]>(sql);
    return rows[0] as RowDataPacket;
  } finally {
    connection.destroy();
  }
}

/** Of a process, as the kernel counts what it had disks do. */
function processBytes(pid: number, name: string): number {
  return Number(new RegExp(`^${name}: (\\d+)`, "m").exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1]);
}
