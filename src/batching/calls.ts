// The Store's methods as two kinds of call, reads and writes, whichever way these take.

import type { Reads } from "../database/table.ts";
import { COUNTER_BYTES } from "../store/counter.ts";
import type { Answer, Write } from "../store/decide.ts";
import {
  type Caller,
  type EntryKey,
  type ExpireResult,
  type IncrementResult,
  keyName,
  type Store,
} from "../store/store.ts";
import { newVersion, type Version } from "../store/version.ts";
import type { Call } from "./call.ts";
import type { ReadCall } from "./reads.ts";
import type { WriteCall } from "./writes.ts";

/** A way that calls take. */
export interface Way {
  /** Lets a call with so many bytes in, or throws `overloaded`. */
  admit<R>(bytes: number, caller?: Caller): Call<R>;
  read<K extends keyof Reads>(kind: K, read: ReadCall<Reads[K]>): void;
  write(waiting: WriteCall): void;
  ping(): Promise<void>;
}

export function storeOver(way: Way): Store {
  const read = <K extends keyof Reads>(kind: K, key: EntryKey, caller?: Caller) => {
    const call = way.admit<Reads[K] | null>(key.length, caller);
    way.read(kind, { key, id: keyName(key), call });
    return call.promise;
  };
  const change = <A extends Answer>(key: EntryKey, write: Write, caller?: Caller, bytes = 0) => {
    const call = way.admit<Answer>(key.length + bytes, caller);
    way.write({ key, id: keyName(key), write, call });
    return call.promise as Promise<A>;
  };
  return {
    get: (key, caller) => read("entries", key, caller),
    head: (key, caller) => read("infos", key, caller),
    put: (key, content, condition = {}, caller) => {
      const { value, contentType, metadata, expiry } = content;
      const bytes = value.length + contentType.length + (metadata?.length ?? 0);
      const put = { kind: "put", version: newVersion(), content, expiry, condition } as const;
      return change<Version | null>(key, put, caller, bytes);
    },
    delete: (key, ifMatch, caller) => change<boolean>(key, { kind: "delete", ifMatch }, caller),
    expire: (key, expiry, condition = {}, caller) =>
      change<ExpireResult>(key, { kind: "expire", expiry, condition }, caller),
    increment: (key, increment, caller) => {
      const write = { kind: "increment", version: newVersion(), increment } as const;
      return change<IncrementResult>(key, write, caller, COUNTER_BYTES);
    },
    persist: (key, caller) => change<boolean>(key, { kind: "persist" }, caller),
    ping: () => way.ping(),
  };
}
