// What a session at the database must be, whatever its server's configuration makes of a new one: what each is told, and
// what can only be looked at. A server that can't be made right is refused at the start, in a sentence that names the
// setting and says what to set.

import type { Connection } from "mysql2/promise";
import { BATCH_BYTES, CONTENT_TYPE_BYTES, KEY_BYTES, METADATA_BYTES, NAMESPACE_BYTES } from "../limits.ts";
import { type Backend, connectOnce, rowsOf, SHOW_SHARDS, servingShards } from "./backend.ts";
import { keyspaceOf } from "./url.ts";

/** The first that has `VALUES ROW(…)` and names for the rows of an INSERT. */
const LEAST_MYSQL = [8, 0, 19] as const;
/** A row of a statement beside its content: numbers, revisions, punctuation, and its key three times, as hex literals. */
const ROW_BYTES = 512 + 3 * 2 * (NAMESPACE_BYTES + 1 + KEY_BYTES);

interface Setting {
  name: string;
  /** As it is written in a SET of a plain MySQL. */
  value: string;
  /** Whether a session that was told nothing is right all the same. */
  fits: (value: unknown) => boolean;
  /** What a configuration file should have. */
  advice: string;
  /** Left to mysqld's configuration on Vitess, because it only makes things slower there. */
  mayDifferOnVitess?: boolean;
}

const is = (wanted: unknown) => (value: unknown) => String(value) === String(wanted);

/** Of a plain MySQL's sessions. */
const SETTINGS: Setting[] = [
  // In UTC alone is the conversion to epoch time exact all year round.
  { name: "time_zone", value: "'+00:00'", fits: isUtc, advice: "default-time-zone=+00:00" },
  // No gap locks, hence no deadlocks between writers of different keys.
  {
    name: "transaction_isolation",
    value: "'READ-COMMITTED'",
    fits: is("READ-COMMITTED"),
    advice: "transaction-isolation=READ-COMMITTED",
    mayDifferOnVitess: true,
  },
  // Else a write is acknowledged and never committed.
  { name: "autocommit", value: "1", fits: is(1), advice: "autocommit=1, and no SET autocommit in init-connect" },
  // Else a COMMIT begins another transaction, or ends the session.
  { name: "completion_type", value: "'NO_CHAIN'", fits: is("NO_CHAIN"), advice: "completion-type=NO_CHAIN" },
  // Else rows beyond it seem to be absent.
  {
    name: "sql_select_limit",
    value: "18446744073709551615",
    fits: (value) => BigInt(String(value)) >= 1n << 32n,
    advice: "sql-select-limit=18446744073709551615",
  },
  // Text is cut off silently without the first; NOT and backslashes have other meanings in other modes.
  {
    name: "sql_mode",
    value: "'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'",
    fits: (value) =>
      /STRICT_(TRANS|ALL)_TABLES/.test(String(value)) &&
      !/HIGH_NOT_PRECEDENCE|NO_BACKSLASH_ESCAPES/.test(String(value)),
    advice: "sql-mode=STRICT_TRANS_TABLES",
  },
  // Else writes are refused.
  { name: "transaction_read_only", value: "0", fits: is(0), advice: "transaction-read-only=OFF" },
  // Else a statement for many keys may be refused.
  { name: "sql_safe_updates", value: "0", fits: is(0), advice: "sql-safe-updates=OFF" },
  { name: "sql_big_selects", value: "1", fits: is(1), advice: "max-join-size=18446744073709551615" },
];

/** Of those, what differs without harm for one that can't be told. */
const COMFORTS = [
  // A deadline is kept here.
  "max_execution_time = 0",
  // An idle connection is closed here, not there just when it is used again.
  "wait_timeout = 28800",
  // A clock that stands still would keep expired rows from being found.
  "timestamp = DEFAULT",
  // Tables of migrations are made by it.
  "default_storage_engine = InnoDB",
  // A content type comes back as the bytes that it was written as.
  "character_set_client = utf8mb4, character_set_connection = utf8mb4, character_set_results = utf8mb4",
];

/** What each new connection is told before its first statement. */
export const SESSION: Record<Backend, string> = {
  mysql: `SET SESSION ${[...SETTINGS.map(({ name, value }) => `${name} = ${value}`), ...COMFORTS].join(", ")}`,
  // A write to several shards fails as a whole instead of committing one by one. Then an error is about every row of a
  // statement alike. vtgate keeps these to itself; about other settings it would first ask a tablet, so they are looked
  // at once, at the start.
  vitess: "SET transaction_mode = 'single', autocommit = 1, sql_select_limit = DEFAULT",
};

/** What is asked of a server beyond that. */
export interface Needs {
  /** Of the largest statement. */
  packetBytes: number;
  /** Whether sessions are told nothing, as through Hyperdrive. */
  untold?: boolean;
}

/** Bytes of the largest statement: a value is a hex literal, which doubles it. */
export function packetBytes({ valueBytes, rows }: { valueBytes: number; rows: number }): number {
  const row = 2 * (valueBytes + CONTENT_TYPE_BYTES + METADATA_BYTES) + ROW_BYTES;
  return Math.max(row, 2 * BATCH_BYTES + rows * ROW_BYTES);
}

/**
 * Fails, with a sentence, unless the database can be relied on: a plain MySQL, or each of a keyspace's shards. Returns
 * sentences about what is worth knowing and can be lived with.
 */
export async function requireDatabase(url: string, backend: Backend, needs: Needs): Promise<string[]> {
  const connection = await connectOnce(url);
  try {
    if (backend === "mysql") return await requireMysql(connection, needs);
    const warnings: string[] = [];
    const keyspace = keyspaceOf(url);
    for (const shard of servingShards(await rowsOf(connection, SHOW_SHARDS), keyspace)) {
      await rowsOf(connection, `USE \`${keyspace}:${shard}@primary\``);
      warnings.push(...(await requireShard(connection, `shard ${shard}`, needs)));
    }
    return warnings;
  } finally {
    connection.destroy();
  }
}

async function requireMysql(connection: Connection, { packetBytes, untold }: Needs): Promise<string[]> {
  const where = "the server";
  const [server] = await rowsOf(connection, "SELECT VERSION() AS version");
  requireVersion(String(server?.version));
  if (untold) await requireSettings(connection, where, SETTINGS, "session");
  else await rowsOf(connection, SESSION.mysql);
  const [row] = await rowsOf(
    connection,
    "SELECT @@session.binlog_format AS binlog_format, @@global.log_bin AS log_bin, @@global.read_only AS read_only, @@global.super_read_only AS super_read_only",
  );
  if (row?.log_bin && row.binlog_format === "STATEMENT") {
    throw refusal("binlog_format", where, "STATEMENT, with which MySQL refuses every write", "binlog-format=ROW");
  }
  await requireClockAndPackets(connection, where, packetBytes);
  await requireTable(connection);
  for (const name of ["super_read_only", "read_only"]) {
    if (row?.[name]) return [`${name} is on at the server: it takes no writes until that is set to OFF`];
  }
  return [];
}

async function requireShard(connection: Connection, where: string, { packetBytes }: Needs): Promise<string[]> {
  const required = SETTINGS.filter(({ mayDifferOnVitess }) => !mayDifferOnVitess);
  await requireSettings(connection, where, required, "global");
  await requireClockAndPackets(connection, where, packetBytes);
  const others = SETTINGS.filter(({ mayDifferOnVitess }) => mayDifferOnVitess);
  return await requireSettings(connection, where, others, "global").then(
    () => [],
    (error) => [(error as Error).message],
  );
}

async function requireSettings(
  connection: Connection,
  where: string,
  settings: Setting[],
  scope: "global" | "session",
): Promise<void> {
  const columns = settings.map(({ name }) => `@@${scope}.${name} AS ${name}`);
  const [row] = await rowsOf(connection, `SELECT ${columns.join(", ")}, @@system_time_zone AS system_zone`);
  for (const { name, fits, advice } of settings) {
    const value = row?.[name] === "SYSTEM" ? row?.system_zone : row?.[name];
    if (!fits(value)) throw refusal(name, where, String(value), advice);
  }
}

async function requireClockAndPackets(connection: Connection, where: string, packetBytes: number) {
  const [row] = await rowsOf(
    connection,
    "SELECT @@global.max_allowed_packet AS packet, SLEEP(0.001) AS slept, SYSDATE(6) > NOW(6) AS moves",
  );
  if (!row?.moves) {
    throw new Error(
      `SYSDATE means NOW at ${where}, so that expired keys would revive; start it without the option sysdate-is-now`,
    );
  }
  if (row.packet < packetBytes) {
    const advice = `max-allowed-packet=${packetBytes} or more, or lower KV_MAX_VALUE_BYTES or KV_BATCH_ROWS`;
    throw refusal("max_allowed_packet", where, String(row.packet), advice);
  }
}

/** Of a table that is there already, which somebody may have converted or loaded with other defaults. */
async function requireTable(connection: Connection) {
  const wrong = await rowsOf(
    connection,
    `SELECT IF(engine = 'InnoDB', CONCAT('character set ', character_set_name), CONCAT('engine ', engine)) AS what
     FROM information_schema.tables JOIN information_schema.columns USING (table_schema, table_name)
     WHERE table_schema = DATABASE() AND table_name = 'entries' AND (engine <> 'InnoDB' OR character_set_name <> 'utf8mb4')`,
  );
  if (wrong.length === 0) return;
  throw new Error(
    `the table entries has the ${wrong[0]?.what}; run ALTER TABLE entries ENGINE=InnoDB, CONVERT TO CHARACTER SET utf8mb4`,
  );
}

/** Throws unless it is MySQL, and of a version that has what the statements need. */
export function requireVersion(version: string) {
  const [, ...numbers] = /^(\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
  const [major = 0, minor = 0, patch = 0] = numbers.map(Number);
  const [a, b, c] = LEAST_MYSQL;
  const isRecent = major > a || (major === a && (minor > b || (minor === b && patch >= c)));
  if (isRecent && !/MariaDB|TiDB|OceanBase/i.test(version)) return;
  throw new Error(
    `the database is ${/maria/i.test(version) ? `MariaDB (${version})` : version}; DATABASE_URL must name Vitess, or MySQL ${LEAST_MYSQL.join(".")} or later`,
  );
}

function refusal(name: string, where: string, value: string, advice: string): Error {
  return new Error(
    `the ${name.replaceAll("_", name === "time_zone" ? " " : "_")} of ${where} is ${value}; set ${advice} there`,
  );
}

function isUtc(zone: unknown): boolean {
  return ["+00:00", "UTC", "Etc/UTC"].includes(String(zone));
}
