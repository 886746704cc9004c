// Brings the database's schema up to date with drizzle/, through vtgate as online migrations on every shard.

import { setTimeout as sleep } from "node:timers/promises";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { drizzle } from "drizzle-orm/mysql2";
import { migrate as applyMigrations } from "drizzle-orm/mysql2/migrator";
import { type Connection, createConnection, type RowDataPacket } from "mysql2/promise";

const MIGRATIONS = { migrationsFolder: new URL("../../drizzle", import.meta.url).pathname };
const LOCK = "vitess-kv-migrations";
const LOCK_SECONDS = 60;

/** Applies what is pending, if anything; servers that start together take turns. */
export async function migrate(url: string) {
  const connection = await createConnection(url);
  // Two more: Vitess pins the one that holds the lock to a tablet, and the strategy of the other is its own.
  const lock = await createConnection(url);
  const ddl = await createConnection(url);
  try {
    if (await isCurrent(connection)) return;
    const [rows] = await lock.query<RowDataPacket[]>("SELECT GET_LOCK(?, ?)", [LOCK, LOCK_SECONDS]);
    if (Object.values(rows[0] ?? {})[0] !== 1) {
      throw new Error("another server has been migrating this database for a minute");
    }
    if (await isCurrent(connection)) return;
    const client = (await isVitess(connection)) ? await online(connection, ddl) : connection;
    await applyMigrations(drizzle({ client }), MIGRATIONS).catch((error) => {
      // Drizzle's own message is only the statement.
      throw error.cause ?? error;
    });
  } finally {
    for (const each of [connection, lock, ddl]) each.destroy();
  }
}

async function isCurrent(connection: Connection): Promise<boolean> {
  const latest = Math.max(...readMigrationFiles(MIGRATIONS).map((migration) => migration.folderMillis));
  try {
    const [rows] = await connection.query<RowDataPacket[]>(
      "SELECT MAX(created_at) AS latest FROM __drizzle_migrations",
    );
    return Number(rows[0]?.latest) >= latest;
  } catch (error) {
    if ((error as { code?: string }).code === "ER_NO_SUCH_TABLE") return false;
    throw error;
  }
}

async function isVitess(connection: Connection): Promise<boolean> {
  return await connection.query("SHOW VITESS_SHARDS").then(
    () => true,
    () => false,
  );
}

/**
 * The connection, changed so that a schema change goes to `ddl` as an online migration, and its query resolves when
 * every shard has completed it. Drizzle waits for each query, so its migrator needs to know nothing of this. Its own
 * table is made directly: the syntax that it uses for that is not known to online migrations.
 */
async function online(connection: Connection, ddl: Connection): Promise<Connection> {
  await ddl.query("SET @@ddl_strategy = 'vitess'");
  return new Proxy(connection, {
    get(target, property) {
      if (property === "query") {
        return async (query: { sql: string }, values?: unknown[]) => {
          const { sql } = query;
          if (!/^\s*(create|alter|drop|rename)\s/i.test(sql) || sql.includes("__drizzle_migrations")) {
            return target.query(query, values);
          }
          const [rows] = await ddl.query<RowDataPacket[]>(sql);
          await completed(ddl, rows[0]?.uuid);
          return [[], []];
        };
      }
      const member = Reflect.get(target, property);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

async function completed(ddl: Connection, uuid: string) {
  for (;;) {
    const [shards] = await ddl.query<RowDataPacket[]>("SHOW VITESS_MIGRATIONS LIKE ?", [uuid]);
    const failed = shards.find((row) => ["failed", "cancelled"].includes(row.migration_status));
    if (failed) throw new Error(`the migration ${uuid} failed on shard ${failed.shard}: ${failed.message}`);
    if (shards.length > 0 && shards.every((row) => row.migration_status === "complete")) return;
    await sleep(200);
  }
}
