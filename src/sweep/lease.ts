// Leases: which of several servers does a piece of work at present, kept in the store itself, as an entry with a TTL in
// a namespace that no client can name. It is created only where there is none, and renewed by compare-and-swap.
//
// As with every lease, a holder that is stopped for long may wake up and not know yet that it has lost it. Whatever is
// done under one must be harmless when two do it.

import { type EntryKey, entryKey, type Store } from "../store/store.ts";
import type { Version } from "../store/version.ts";

/** No namespace of a client's holds a dot (NAMESPACE_PATTERN). */
const NAMESPACE = ".lease";

/** Bounds a call of a holder's, which must not wait for longer than it has left. */
export const LEASE_CALL_MS = 3_000;

/** The entry of a lease. */
export function leaseKey(name: string): EntryKey {
  return entryKey(NAMESPACE, name);
}

/** What a lease's entry says. */
export interface LeaseState {
  /** As the holder wrote it. */
  note: string;
  /** Until it expires, unless it is renewed. */
  remainingMs: number;
}

export class Lease {
  private version: Version | null = null;
  /** As performance.now() counts: when it has expired at the latest that this process may believe it has it. */
  private until = 0;

  constructor(
    /** Its deadline is LEASE_CALL_MS, or shorter than a lease. */
    private readonly store: Store,
    private readonly key: EntryKey,
    /** How long it is held without being renewed. */
    private readonly ttlMs: number,
  ) {}

  /** How long it surely stays this process's. */
  get remainingMs(): number {
    return this.version === null ? 0 : Math.max(0, this.until - performance.now());
  }

  /** Who has it, be it this process; null if nobody has. Throws `StoreError`. */
  async read(): Promise<LeaseState | null> {
    const entry = await this.store.get(this.key);
    return entry && { note: entry.value.toString(), remainingMs: entry.expiry?.ttlMs ?? 0 };
  }

  /** Takes it, if nobody has it. Throws `StoreError`. */
  take(note: string): Promise<boolean> {
    return this.write(note, { ifNoneMatch: "*" });
  }

  /** Holds it for another `ttlMs`, or tells that it is lost. Throws `StoreError`. */
  async renew(note: string): Promise<boolean> {
    return this.version !== null && (await this.write(note, { ifMatch: [this.version] }));
  }

  /** Lets others have it at once, as far as that can be done. Throws `StoreError`. */
  async release() {
    const { version } = this;
    this.version = null;
    if (version !== null) await this.store.delete(this.key, [version]);
  }

  private async write(note: string, condition: { ifNoneMatch: "*" } | { ifMatch: Version[] }): Promise<boolean> {
    const sent = performance.now();
    const entry = {
      value: Buffer.from(note),
      contentType: "application/json",
      metadata: null,
      expiry: { afterMs: this.ttlMs },
    };
    this.version = await this.store.put(this.key, entry, condition);
    this.until = sent + this.ttlMs;
    return this.version !== null;
  }
}
