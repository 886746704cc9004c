// Brings the database's schema up to date with drizzle/, through vtgate as online migrations on every shard.

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { drizzle } from "drizzle-orm/mysql2";
import { migrate as applyMigrations } from "drizzle-orm/mysql2/migrator";
import type { Connection } from "mysql2/promise";
import { type Backend, connectOnce, rowsOf } from "./backend.ts";
import { SESSION } from "./session.ts";

const MIGRATIONS = { migrationsFolder: join(import.meta.dirname, "../../drizzle") };
const LOCK = "vitess-kv-migrations";
/** Shorter than the timeout of a statement. */
const LOCK_ATTEMPT_SECONDS = 5;
const POLL_MS = 200;

/** Applies what is pending, if anything; servers that start together take turns. The signal ends it in between. */
export async function migrate(url: string, backend: Backend, signal: AbortSignal) {
  const connection = await connectOnce(url);
  // Two more: Vitess pins the one that holds the lock to a tablet, and the strategy of the other is its own.
  const lock = await connectOnce(url);
  const ddl = await connectOnce(url);
  try {
    if (backend === "mysql") for (const each of [connection, lock, ddl]) await rowsOf(each, SESSION.mysql);
    if (await isCurrent(connection)) return;
    while (!(await acquire(lock))) signal.throwIfAborted();
    if (await isCurrent(connection)) return;
    if (backend === "vitess") await rowsOf(ddl, "SET @@ddl_strategy = 'vitess'");
    const change = backend === "vitess" ? online(ddl, signal) : (sql: string) => rowsOf(ddl, sql);
    await applyMigrations(drizzle({ client: withSchemaChanges(connection, change) }), MIGRATIONS).catch((error) => {
      // Drizzle's own message is only the statement.
      throw error.cause ?? error;
    });
  } finally {
    for (const each of [connection, lock, ddl]) each.destroy();
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
    if ((error as { code?: string }).code === "ER_NO_SUCH_TABLE") return false;
    throw error;
  }
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

/** Submits a schema change as an online migration and waits until every shard has completed it. */
function online(ddl: Connection, signal: AbortSignal): (sql: string) => Promise<void> {
  return async (sql) => {
    const [submitted] = await rowsOf(ddl, sql);
    for (;;) {
      const shards = await rowsOf(ddl, "SHOW VITESS_MIGRATIONS LIKE ?", [submitted?.uuid]);
      const failed = shards.find((row) => ["failed", "cancelled"].includes(row.migration_status));
      if (failed) throw new Error(`a migration failed on shard ${failed.shard}: ${failed.message}`);
      if (shards.length > 0 && shards.every((row) => row.migration_status === "complete")) return;
      await sleep(POLL_MS, undefined, { signal });
    }
  };
}
