// The Store's methods as two kinds of call, reads and writes, whichever way these take.

import type { Range } from "../database/statements.ts";
import type { Reads, Scanned } from "../database/table.ts";
import type { Answer, Write } from "../store/decide.ts";
import {
  type Caller,
  type Consistency,
  type EntryInfo,
  type EntryKey,
  type ExpireResult,
  keyName,
  type ListPage,
  type Store,
  type Transaction,
} from "../store/store.ts";
import { newVersion, type Version } from "../store/version.ts";
import { SEVERAL_SHARDS, type WriteCall } from "./attempts.ts";
import type { Call } from "./call.ts";
import { pageOf, type Scans } from "./lists.ts";
import type { CallKind } from "./observer.ts";
import type { ReadCall } from "./reads.ts";
import type { ScanCall } from "./scans.ts";

/** A way that calls take. */
export interface Way {
  /** Lets a call with so many bytes in, or throws `overloaded`. */
  admit<R>(kind: CallKind, bytes: number, caller?: Caller): Call<R>;
  read<K extends keyof Reads>(kind: K, read: ReadCall<Reads[K]>, consistency?: Consistency): void;
  write(waiting: WriteCall): void;
  /** Which shard has a key; without it several keys can't be changed together. */
  shardOf?: (key: EntryKey) => string;
  scan(shard: string, scan: ScanCall, consistency?: Consistency): void;
  shards: Scans["shards"];
  idOf?: Scans["idOf"];
  ping(): Promise<void>;
}

export function storeOver(way: Way): Store {
  let scans = 0;
  const read = <K extends keyof Reads>(kind: K, key: EntryKey, caller?: Caller, consistency?: Consistency) => {
    const name = kind === "entries" ? "get" : "head";
    const call = way.admit<Reads[K] | null>(name, key.length, caller);
    way.read(kind, { key, id: keyName(key), call }, consistency);
    return call.promise;
  };
  const change = <A extends Answer>(key: EntryKey, write: Write, caller?: Caller, bytes = 0) => {
    const call = way.admit<Answer>(write.kind as CallKind, key.length + bytes, caller);
    way.write({ key, id: keyName(key), write, call });
    return call.promise as Promise<A>;
  };
  return {
    get: (key, caller, consistency) => read("entries", key, caller, consistency),
    head: (key, caller, consistency) => read("infos", key, caller, consistency),
    put: (key, content, condition = {}, caller) => {
      const { value, contentType, metadata, expiry } = content;
      const bytes = value.length + contentType.length + (metadata?.length ?? 0);
      const put = { kind: "put", version: newVersion(), content, expiry, condition } as const;
      return change<Version | null>(key, put, caller, bytes);
    },
    delete: (key, ifMatch, caller) => change<boolean>(key, { kind: "delete", ifMatch }, caller),
    expire: (key, expiry, condition = {}, caller) =>
      change<ExpireResult>(key, { kind: "expire", expiry, condition }, caller),
    update: (key, update, caller) => {
      return change(key, { kind: "update", version: newVersion(), update }, caller, update.bytes);
    },
    transact: async <A>(keys: EntryKey[], transaction: Transaction<A>, caller?: Caller) => {
      const { shardOf } = way;
      const [key] = keys;
      if (!key || !shardOf || keys.some((each) => shardOf(each) !== shardOf(key))) return null;
      const bytes = keys.reduce((sum, { length }) => sum + length, transaction.bytes);
      const call = way.admit<Answer>("transact", bytes, caller);
      way.write({ key, id: keyName(key), write: { kind: "transact", transaction, keys }, call });
      const answer = await call.promise;
      return answer === SEVERAL_SHARDS ? null : { answer: answer as A };
    },
    persist: (key, caller) => change<boolean>(key, { kind: "persist" }, caller),
    list: (query, caller) => {
      const call = way.admit<ListPage>("list", query.start.length, caller);
      let { consistency } = query;
      const scan = async (shard: string, range: Range) => {
        const part = call.part<Scanned[] | null>();
        way.scan(shard, { key: range.start as EntryKey, id: String(scans++), range, call: part }, consistency);
        const rows = await part.promise;
        // What replicas don't take goes to the primary.
        if (!rows) consistency = "strong";
        return rows;
      };
      const head = async (key: EntryKey) => {
        if (consistency === "eventual") return null;
        const part = call.part<EntryInfo | null>();
        way.read("infos", { key, id: keyName(key), call: part });
        return part.promise;
      };
      const { shards, idOf } = way;
      pageOf({ shards, idOf, scan, head }, query).then(
        (page) => call.resolve(page),
        (error) => call.reject(error),
      );
      return call.promise;
    },
    ping: () => way.ping(),
  };
}
