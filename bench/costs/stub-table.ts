// A table that has what it is asked for, takes every change and keeps nothing: for what a server does besides its
// statements, measured in this process or simulated.

import type { Change, Put, Range } from "../../src/database/statements.ts";
import { type Found, type Known, type Reads, type Scanned, Table } from "../../src/database/table.ts";
import { BATCH_READ_BYTES } from "../../src/limits.ts";
import { type Content, type Entry, type EntryKey, keyName } from "../../src/store/store.ts";
import { newRevision } from "../../src/store/version.ts";
import type { StatementName } from "./costs.ts";

/** A key that ends so is of no row. */
export const NEW = "~";
const NEW_BYTE = NEW.charCodeAt(0);
/** So that everything can be added to. */
const COUNTER: Buffer = Buffer.from("1");

export class StubTable extends Table {
  private readonly row: { revision: string; expiresAtMs: null; content: Content };

  constructor(
    private readonly entry: Entry,
    /** Some that are there, in order: what a range has. */
    private readonly keys: EntryKey[],
    /** Told of each statement, and of its keys if it has any; the answer comes when this resolves. */
    private readonly sent: (name: StatementName, rows: number, keys: EntryKey[]) => Promise<void> = async () => {},
  ) {
    super({ execute: () => Promise.reject(new Error("this statement has no stub")), close: async () => {} });
    this.row = { revision: newRevision(entry.version), expiresAtMs: null, content: { ...entry, value: COUNTER } };
  }

  override async read<K extends keyof Reads>(kind: K, keys: EntryKey[]) {
    await this.sent(kind === "entries" ? "get" : "head", keys.length, keys);
    const isLarge = kind === "entries" && this.entry.valueBytes > BATCH_READ_BYTES / keys.length;
    const found = isLarge ? "large" : this.entry;
    return new Map(keys.map((key) => [keyName(key), found])) as Found<Reads[K]>;
  }

  override async known(keys: EntryKey[], valueBytes: number | undefined): Promise<Known> {
    await this.sent(valueBytes === undefined ? "find" : "find_contents", keys.length, keys);
    const there = keys.filter((key) => key.at(-1) !== NEW_BYTE);
    return { rows: new Map(there.map((key) => [keyName(key), this.row])), large: new Set(), clockMs: Date.now() };
  }

  override async put(puts: Put[]) {
    await this.sent("put", puts.length, keysOf(puts));
  }

  override async remove(keys: EntryKey[]) {
    await this.sent("delete", keys.length, keys);
  }

  override async change(changes: Change[]) {
    const [{ guard, content }] = changes as [Change];
    const name = guard === null ? "create" : content ? "replace" : "touch";
    await this.sent(name, changes.length, keysOf(changes));
    return new Map(changes.map(({ key, revision }) => [keyName(key), revision]));
  }

  override async scan({ limit }: Range): Promise<Scanned[]> {
    await this.sent("scan", limit, []);
    return this.keys.slice(0, limit).map((key) => ({ key, found: this.entry }));
  }
}

function keysOf(rows: { key: EntryKey }[]): EntryKey[] {
  return rows.map(({ key }) => key);
}
