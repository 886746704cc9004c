// A database that shows which locks each statement takes: it runs it in a transaction, at the MySQL server itself, and
// looks before it commits.

import { type Connection, createConnection, type RowDataPacket } from "mysql2/promise";
import type { Database } from "../../src/database/connect.ts";
import type { Statement } from "../../src/database/statements.ts";
import { StoreError } from "../../src/store/error.ts";
import type { EntryKey } from "../../src/store/store.ts";

export interface Lock {
  /** Whose it is: InnoDB's id. */
  transaction: string;
  index: string;
  /** As MySQL names it: `X,REC_NOT_GAP`. */
  mode: string;
  /** Whether it is held or only asked for. */
  status: "GRANTED" | "WAITING";
  /** Of the row, as the index holds it. */
  data: string;
}

export interface Run {
  /** The statement's name. */
  name: string;
  locks: Lock[];
}

/**
 * A row that is written anew is locked by the mere fact that its transaction has not ended, which MySQL does not list
 * before somebody else wants the row. So somebody does, in both indexes, and does not wait.
 */
const ASK_FOR_ROWS = [
  "SELECT expires_at FROM entries FORCE INDEX (PRIMARY) WHERE `key` >= '' FOR UPDATE SKIP LOCKED",
  "SELECT expires_at FROM entries FORCE INDEX (entries_expires_at) WHERE expires_at IS NULL FOR UPDATE SKIP LOCKED",
  "SELECT expires_at FROM entries FORCE INDEX (entries_expires_at) WHERE expires_at > 0 FOR UPDATE SKIP LOCKED",
];

export class LockSession implements Database {
  /** What was run, in order. */
  readonly runs: Run[] = [];
  /** Whether the answer to the next statement is lost on its way, so that the store has to find out what happened. */
  losesAnswer = false;

  private constructor(
    private readonly session: Connection,
    private readonly witness: Connection,
    private readonly keys: EntryKey[],
  ) {}

  /** At the server with this socket. The keys' rows are nobody else's, for who locks a row can't be told. */
  static async open(mysqlSocket: string, keys: EntryKey[]): Promise<LockSession> {
    return new LockSession(await openSession(mysqlSocket), await openSession(mysqlSocket), keys);
  }

  async execute<T>({ name, sql, params }: Statement): Promise<T> {
    // A packet's own transaction is this one.
    const [, inner] = /^BEGIN; (.*); COMMIT$/s.exec(sql) ?? [];
    await this.session.beginTransaction();
    try {
      const [result] = await this.session.query(inner ?? sql, params);
      for (const ask of ASK_FOR_ROWS) {
        await this.witness.beginTransaction();
        await this.witness.query(ask);
        await this.witness.rollback();
      }
      this.runs.push({ name, locks: await locksOn(this.session, this.keys) });
      if (!this.losesAnswer) return (inner ? [undefined, ...(result as unknown[]), undefined] : result) as T;
      this.losesAnswer = false;
      throw new StoreError("outcome_unknown", "the answer was lost");
    } finally {
      await this.session.commit();
    }
  }

  async close() {
    for (const session of [this.session, this.witness]) session.destroy();
  }
}

/** At a tablet's MySQL server, as its vttablet has them. */
export async function openSession(mysqlSocket: string): Promise<Connection> {
  return createConnection({
    ...{ socketPath: mysqlSocket, user: "vt_dba", database: "vt_kv" },
    ...{ supportBigNumbers: true, multipleStatements: true },
  });
}

/** All locks on the keys' rows, in the order of index and row. */
export async function locksOn(session: Connection, keys: EntryKey[]): Promise<Lock[]> {
  const [rows] = await session.query<RowDataPacket[]>(
    `SELECT CAST(ENGINE_TRANSACTION_ID AS CHAR) AS transaction, INDEX_NAME AS \`index\`, LOCK_MODE AS mode, LOCK_STATUS AS status, LOCK_DATA AS data
     FROM performance_schema.data_locks WHERE LOCK_TYPE = 'RECORD' ORDER BY INDEX_NAME, LOCK_DATA, LOCK_MODE`,
  );
  const names = keys.map(lockDataOf);
  return (rows as Lock[]).filter(({ data }) => names.some((name) => data?.endsWith(name)));
}

/** How MySQL names the row in the table; before it an index has what it is on. */
export function lockDataOf(key: EntryKey): string {
  return `0x${key.toString("hex").toUpperCase()}`;
}
