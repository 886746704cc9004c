// Brings the database's schema up to date with drizzle/: through vtgate on every shard, online once there are rows.

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { getTableColumns } from "drizzle-orm";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { drizzle } from "drizzle-orm/mysql2";
import { migrate as applyMigrations } from "drizzle-orm/mysql2/migrator";
import type { Connection, RowDataPacket } from "mysql2/promise";
import { type Backend, connectOnce, rowsOf } from "./backend.ts";
import { entries } from "./schema.ts";
import { SESSION } from "./session.ts";
import { urlsOf } from "./url.ts";

const MIGRATIONS = { migrationsFolder: join(import.meta.dirname, "../../drizzle") };
const LOCK = "vitess-kv-migrations";
/** Shorter than the timeout of a statement. */
const LOCK_ATTEMPT_SECONDS = 5;
const POLL_MS = 200;
/** Far longer than a vtgate takes to hear of a column. */
const KNOWN_MS = 30_000;

/**
 * Applies what is pending, if anything, and waits until all columns can be named; servers that start together take turns.
 * The signal ends it in between.
 */
export async function migrate(url: string, backend: Backend, signal: AbortSignal) {
  await applyPending(url, backend, signal);
  if (backend === "vitess") await Promise.all(urlsOf(url).map((vtgate) => untilKnown(vtgate, signal)));
}

async function applyPending(url: string, backend: Backend, signal: AbortSignal) {
  const connection = await connectOnce(url);
  // One more, because Vitess pins the one that holds the lock to a tablet.
  const lock = await connectOnce(url);
  try {
    if (backend === "mysql") for (const each of [connection, lock]) await rowsOf(each, SESSION.mysql);
    if (await isCurrent(connection)) return;
    while (!(await acquire(lock))) signal.throwIfAborted();
    if (await isCurrent(connection)) return;
    const directly = (sql: string) => rowsOf(connection, sql);
    const change = backend === "mysql" ? directly : onVitess(directly, (sql) => online(url, sql, signal));
    await applyMigrations(drizzle({ client: withSchemaChanges(connection, change) }), MIGRATIONS).catch((error) => {
      // Drizzle's own message is only the statement.
      throw error.cause ?? error;
    });
  } finally {
    for (const each of [connection, lock]) each.destroy();
  }
}

async function acquire(lock: Connection): Promise<boolean> {
  const [row] = await rowsOf(lock, "SELECT GET_LOCK(?, ?)", [LOCK, LOCK_ATTEMPT_SECONDS]);
  // vtgate names the column as it likes.
  return Object.values(row ?? {})[0] === 1;
}

async function isCurrent(connection: Connection): Promise<boolean> {
  const latest = Math.max(...readMigrationFiles(MIGRATIONS).map((migration) => migration.folderMillis));
  try {
    const [row] = await rowsOf(connection, "SELECT MAX(created_at) AS latest FROM __drizzle_migrations");
    return Number(row?.latest) >= latest;
  } catch (error) {
    return !isMissingTable(error);
  }
}

/**
 * A vtgate hears of new columns a moment after they are there, and refuses statements that name them until then. One that
 * does not answer now asks the tablets itself once it can.
 */
async function untilKnown(vtgate: string, signal: AbortSignal) {
  const names = Object.values(getTableColumns(entries)).map(({ name }) => `\`${name}\``);
  const connection = await connectOnce(vtgate).catch(() => undefined);
  if (!connection) return;
  const deadline = performance.now() + KNOWN_MS;
  try {
    for (;;) {
      const failure = await rowsOf(connection, `SELECT ${names.join()} FROM entries LIMIT 0`).then(
        () => undefined,
        (error) => error,
      );
      if (failure?.code !== "ER_BAD_FIELD_ERROR") return;
      if (performance.now() > deadline) throw failure;
      await sleep(POLL_MS, undefined, { signal });
    }
  } finally {
    connection.destroy();
  }
}

/** True of the error that says so; throws any other. */
function isMissingTable(error: unknown): true {
  if ((error as { code?: string }).code !== "ER_NO_SUCH_TABLE") throw error;
  return true;
}

/** Table, column or index is there already. */
const DONE_BEFORE = /errno (1050|1060|1061)\b|^ER_TABLE_EXISTS_ERROR|^ER_DUP_FIELDNAME|^ER_DUP_KEYNAME/;

const TRANSACTION = /^\s*(begin|commit|rollback)\b/i;

/**
 * The connection, changed so that schema changes take another way, which ends when they are in effect everywhere.
 * Drizzle waits for each query, so its migrator needs to know nothing of this. A change that is there already was made
 * by a migration that was interrupted, for MySQL can't undo it: so there is no transaction either, which would be open
 * for longer than Vitess lets one be. Drizzle's own table is made directly: the syntax that it uses for that is not
 * known to online migrations.
 */
function withSchemaChanges(connection: Connection, change: (sql: string) => Promise<unknown>): Connection {
  return new Proxy(connection, {
    get(target, property) {
      if (property === "query") {
        return async (query: { sql: string }, values?: unknown[]) => {
          const { sql } = query;
          if (TRANSACTION.test(sql)) return [[], []];
          if (!/^\s*(create|alter|drop|rename)\s/i.test(sql) || sql.includes("__drizzle_migrations")) {
            return target.query(query, values);
          }
          await change(sql).catch((error) => {
            if (!DONE_BEFORE.test(error.code) && !DONE_BEFORE.test(error.message)) throw error;
          });
          return [[], []];
        };
      }
      const member = Reflect.get(target, property);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

/**
 * Where there is nothing to copy, an online migration would only take longer. But of a change that fails a part of the
 * shards may have been changed, and that is told of each by a migration alone.
 */
function onVitess(directly: (sql: string) => Promise<RowDataPacket[]>, online: (sql: string) => Promise<void>) {
  return async (sql: string) => {
    const isEmpty = await directly("SELECT 1 FROM entries LIMIT 1").then(({ length }) => length === 0, isMissingTable);
    if (isEmpty && (await directly(sql).then(Boolean, () => false))) return;
    await online(sql);
  };
}

/** What becomes of a migration of a shard. */
const ENDED = ["complete", "failed", "cancelled"];

/**
 * Submits a schema change as an online migration, in a session of its own for the strategy, and waits until every shard has
 * ended it.
 */
async function online(url: string, sql: string, signal: AbortSignal) {
  const ddl = await connectOnce(url);
  try {
    await rowsOf(ddl, "SET @@ddl_strategy = 'vitess'");
    const [submitted] = await rowsOf(ddl, sql);
    for (;;) {
      const shards = await rowsOf(ddl, "SHOW VITESS_MIGRATIONS LIKE ?", [submitted?.uuid]);
      if (shards.length > 0 && shards.every((row) => ENDED.includes(row.migration_status))) {
        const failed = shards.filter((row) => row.migration_status !== "complete");
        const first = failed.find(({ message }) => !DONE_BEFORE.test(message)) ?? failed[0];
        if (!first) return;
        throw new Error(`a migration failed on shard ${first.shard}: ${first.message}`);
      }
      await sleep(POLL_MS, undefined, { signal });
    }
  } finally {
    ddl.destroy();
  }
}
