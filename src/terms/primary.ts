// How a guard reaches its shard's primary: through entries in the shard that no client can name.

import type { Database, Rows, Written } from "../database/connect.ts";
import { keyOfShard, type Shards } from "../database/shards.ts";
import { type Statement, upsert } from "../database/statements.ts";
import { Table } from "../database/table.ts";
import { tagsIn, termFactsIn } from "../database/terms.ts";
import { StoreError } from "../store/error.ts";
import { type EntryKey, leaseKey } from "../store/store.ts";
import { newRevision, newVersion } from "../store/version.ts";
import type { Primary } from "./guard.ts";

/** A primary that can't be acknowledged waits without end; another connection may lead to the next one. */
const STATEMENT_MS = 1_000;
/** What whoever has written it leaves behind is swept. */
const BEAT_TTL_MS = 3_600_000;

/** The keys of such entries: to find one takes about as many hashes as there are shards. */
export class LeaseKeys {
  private readonly known = new Map<string, EntryKey>();

  constructor(private readonly shards: Shards) {}

  /** Tells which of the shard's terms is clear. Throws where there is no such shard, or no longer. */
  markAt(shard: string): EntryKey {
    return this.at(shard, "term");
  }

  /** Is written to renew leases. Throws as well. */
  beatAt(shard: string, name: string): EntryKey {
    return this.at(shard, `beat/${name}`);
  }

  private at(shard: string, name: string): EntryKey {
    const id = `${shard} ${name}`;
    const known = this.known.get(id);
    if (known) return known;
    const key = keyOfShard(shard, this.shards, (n) => leaseKey(`${name}/${n}`));
    this.known.set(id, key);
    return key;
  }
}

export interface PrimaryOptions {
  shard: string;
  keys: LeaseKeys;
  /** Leads to the shard, or wherever a statement's key is. */
  database: Database;
  selectFacts: (mark: EntryKey) => Statement;
  /** Names the entry that is written to renew leases. */
  beat: string;
}

export function primaryOf({ shard, keys, database, selectFacts, beat }: PrimaryOptions): Primary {
  const run = <T>(statement: Statement) => database.execute<T>(statement, STATEMENT_MS);
  const table = new Table(database);
  const rowOf = (key: EntryKey, value: Buffer) => ({
    ...{ key, revision: newRevision(newVersion()) },
    content: { value, contentType: "application/json", metadata: null },
  });
  return {
    facts: async () => termFactsIn(await run<Rows>(selectFacts(keys.markAt(shard)))),
    mark: async ({ markRevision }, value) => {
      const guard = markRevision === null ? null : { revision: markRevision, expiresAtMs: null, lives: true };
      const change = { ...rowOf(keys.markAt(shard), value), guard, expiresAtMs: null };
      return (await table.change([change], performance.now() + STATEMENT_MS)).size > 0;
    },
    beat: async (number) => {
      const row = rowOf(keys.beatAt(shard, beat), Buffer.from(String(number)));
      const statement = upsert([{ ...row, expiry: { afterMs: BEAT_TTL_MS } }]);
      const [tag] = tagsIn(statement, await run<Written>(statement));
      if (tag === undefined) throw new StoreError("unavailable", "no tag came back");
      return tag;
    },
  };
}
