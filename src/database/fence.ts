// What stands between an answer of the database and whoever waits for it.

import type { EntryKey } from "../store/store.ts";
import type { Tag } from "./tag.ts";

/** An answer, and what it tells of who gave it. Instants are as performance.now() counts. */
export interface Answered {
  /** One of its statement's keys, if that has any: they are of one shard. */
  key: EntryKey | undefined;
  tags: Tag[];
  /** Whether the statement can have changed anything. */
  writes: boolean;
  /** Whether a commit was acknowledged with it. */
  isCommit: boolean;
  sentAtMs: number;
  receivedAtMs: number;
}

export interface Fence {
  /** Whether packets of several statements can be sent, so that every write tells its tag. */
  packets: boolean;
  /** For replicas: the entry whose value, a whole number, comes as their tag. */
  beat?: EntryKey;
  /**
   * Lets an answer pass once it may be told: at once and without a promise in most cases. Rejects with a `StoreError` if it
   * may not be by the deadline.
   */
  pass(answer: Answered, deadline: number): Promise<void> | undefined;
}
