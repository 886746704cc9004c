// The ways in which a statement can reach vtgate and its rows come back, on one connection, one statement at a time.

import { inArray, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/mysql2";
import { createPool, type Pool, type PoolOptions } from "mysql2/promise";
import type { Database } from "../../src/database/connect.ts";
import { entries } from "../../src/database/schema.ts";
import type { Put, Statement } from "../../src/database/statements.ts";
import { Table } from "../../src/database/table.ts";
import type { EntryKey } from "../../src/store/store.ts";
import { newRevision, newVersion } from "../../src/store/version.ts";
import type { ClusterStatus } from "../../vitess/run/status.ts";
import { step } from "../../vitess/support/progress.ts";
import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { clusterGroups, coresOf, withCores } from "../cpu.ts";
import { repeat } from "../repeat.ts";
import { type Findings, figure, median, packageVersion, table } from "../report.ts";
import type { Rig } from "../rig.ts";
import { ENTRY, keysOfOneShard } from "../store.ts";
import { OPERATIONS, type Operation, VALUE_BYTES } from "../system.ts";

/** Rows of a statement: a call that is alone, and the default of KV_BATCH_ROWS. */
const SIZES = [1, 500];
/** What differs by little needs several rounds. */
const LEAST_ROUNDS = 3;
/** A way is measured for this share of what a load on the whole is. */
const SHARE = 0.2;
const DEADLINE_MS = 60_000;

interface Way {
  name: string;
  get: (keys: EntryKey[]) => Promise<unknown>;
  put: (keys: EntryKey[]) => Promise<unknown>;
}

interface Figures {
  way: string;
  operation: Operation;
  rows: number;
  /** From sending to having the rows, per row. */
  microseconds: number;
  /** Of a core in this process, per row. */
  clientMicroseconds: number;
  /** Of all cores in the cluster, per row. */
  clusterMicroseconds: number;
}

export async function protocol(rig: Rig): Promise<Findings> {
  const cluster = await rig.cluster();
  // Makes the table.
  await rig.startServer();
  const pools: Pool[] = [];
  const open = (options: PoolOptions) => {
    const { user, password, database } = cluster.vtgates[0];
    const common = { user, password, database, connectionLimit: 1, supportBigNumbers: true };
    pools.push(createPool({ ...common, ...options }));
    return pools.at(-1) as Pool;
  };
  try {
    const ways = makeWays(cluster, open);
    const figures = await measureWays(rig, cluster, ways);
    return {
      versions: {
        vitess: VITESS_VERSION,
        mysql2: packageVersion("mysql2"),
        "drizzle-orm": packageVersion("drizzle-orm"),
      },
      method: `One connection to vtgate and one statement at a time, values of ${VALUE_BYTES} bytes, rows of one shard; the median of ${roundsOf(rig)} rounds of ${figure(SHARE * rig.options.seconds)} s that alternate the ways. Per row: what passes until the answer is decoded, what this process computes, and what the cluster's processes compute, on all cores together.`,
      data: { figures },
      markdown: OPERATIONS.map((operation) => resultTable(operation, ways, figures)).join("\n\n"),
    };
  } finally {
    for (const pool of pools) await pool.end();
  }
}

function makeWays({ vtgates: [vtgate] }: ClusterStatus, open: (options: PoolOptions) => Pool): Way[] {
  const tcp = { host: vtgate.host, port: vtgate.port };
  const socket = { socketPath: vtgate.socket };
  return [
    sqlWay("text, bytes as hex, TCP (the server's)", open(tcp), "query"),
    sqlWay("text, bytes as hex, Unix socket", open(socket), "query"),
    sqlWay("prepared, bytes as they are, TCP", open(tcp), "execute"),
    sqlWay("prepared, bytes as they are, Unix socket", open(socket), "execute"),
    drizzleWay("Drizzle's builder, text, TCP", open(tcp)),
  ];
}

/** The store's own statements, as text or prepared. */
function sqlWay(name: string, pool: Pool, how: "query" | "execute"): Way {
  const database: Database = {
    async execute<T>({ sql: text, params }: Statement) {
      const [result] = await (how === "query" ? pool.query(text, params) : pool.execute(text, params as string[]));
      return result as T;
    },
    close: () => pool.end(),
  };
  const rows = new Table(database);
  const later = () => performance.now() + DEADLINE_MS;
  return {
    name,
    get: (keys) => rows.read("entries", keys, later()),
    put: (keys) => rows.put(newPuts(keys), later()),
  };
}

/** The same statements as Drizzle words them. */
function drizzleWay(name: string, pool: Pool): Way {
  const db = drizzle({ client: pool });
  const now = sql`CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED)`;
  const { key, version, contentType, metadata, expiresAt, value } = entries;
  const columns = { key, version, contentType, metadata, expiresAt, ttlMs: sql`${expiresAt} - ${now}`, value };
  const fresh = (column: { name: string }) => sql.raw(`VALUES(\`${column.name}\`)`);
  const replaced = {
    version: fresh(version),
    expiresAt: fresh(expiresAt),
    contentType: fresh(contentType),
    metadata: fresh(metadata),
    value: fresh(value),
  };
  return {
    name,
    get: (keys) => db.select(columns).from(entries).where(inArray(key, keys)),
    put: (keys) =>
      db
        .insert(entries)
        .values(
          newPuts(keys).map(({ revision, content, key: each }) => ({
            key: each,
            version: Buffer.from(revision, "hex"),
            expiresAt: null,
            contentType: content.contentType,
            metadata: content.metadata,
            value: content.value,
          })),
        )
        .onDuplicateKeyUpdate({ set: replaced }),
  };
}

function newPuts(keys: EntryKey[]): Put[] {
  return keys.map((key) => ({ key, revision: newRevision(newVersion()), expiry: "never", content: ENTRY }));
}

function roundsOf({ options }: Rig): number {
  return Math.max(LEAST_ROUNDS, options.rounds);
}

async function measureWays(rig: Rig, cluster: ClusterStatus, ways: Way[]): Promise<Figures[]> {
  const cases = OPERATIONS.toReversed().flatMap((operation) =>
    SIZES.flatMap((rows) => ways.map((way) => ({ way, operation, rows, rounds: [] as Omit<Figures, keyof Case>[] }))),
  );
  for (let round = 1; round <= roundsOf(rig); round++) {
    for (const { way, operation, rows, rounds } of cases) {
      const keys = keysOfOneShard(rows);
      const title = `${operation.toUpperCase()}, ${rows} rows, ${way.name}, round ${round}`;
      await step(title, async () => {
        await repeat(() => way[operation](keys), SHARE * rig.options.warmupSeconds, rig.signal);
        const groups = clusterGroups(cluster);
        const { result, cores } = await withCores(groups, () =>
          repeat(() => way[operation](keys), SHARE * rig.options.seconds, rig.signal),
        );
        const perRow = (seconds: number) => (seconds * 1e6) / (result.runs * rows);
        rounds.push({
          microseconds: perRow(result.seconds),
          clientMicroseconds: perRow(result.cpuSeconds),
          clusterMicroseconds: perRow(coresOf(groups, cores) * result.seconds),
        });
      });
    }
  }
  return cases.map(({ way, operation, rows, rounds }) => ({
    way: way.name,
    operation,
    rows,
    microseconds: median(rounds.map((round) => round.microseconds)),
    clientMicroseconds: median(rounds.map((round) => round.clientMicroseconds)),
    clusterMicroseconds: median(rounds.map((round) => round.clusterMicroseconds)),
  }));
}

type Case = Pick<Figures, "way" | "operation" | "rows">;

function resultTable(operation: Operation, ways: Way[], figures: Figures[]): string {
  const head = SIZES.flatMap((rows) => {
    const of = rows === 1 ? "1 row" : `${rows} rows`;
    return [`${of}: µs`, "client µs", "cluster µs"];
  });
  const rows = ways.map(({ name }) => [
    name,
    ...SIZES.flatMap((size) => {
      const found = figures.find((each) => each.way === name && each.operation === operation && each.rows === size);
      return [found?.microseconds, found?.clientMicroseconds, found?.clusterMicroseconds].map(figure);
    }),
  ]);
  return table([`${operation.toUpperCase()}, per row`, ...head], rows);
}
