// What the database tells whoever measures it.

import type { StoreErrorCode } from "../store/error.ts";

/** Where a statement leads; a plain MySQL's only shard has no name, nor has what is in no shard. */
export interface Destination {
  shard: string;
  type: "primary" | "replica";
}

export interface DatabaseObserver {
  /** A connection has been opened, or has closed. */
  connections(change: 1 | -1): void;
  began(): void;
  /** `ms` include waiting for a connection. The failure's reason is the database's code for it, or a few words of ours. */
  ended(statement: string, to: Destination, ms: number, failure?: { code: StoreErrorCode; reason: string }): void;
}
