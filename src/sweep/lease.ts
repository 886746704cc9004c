// Leases: which of several servers does a piece of work at present. A lease is an entry with a TTL in the store itself, in
// a namespace that no client can name. It is created only where there is none, and renewed by compare-and-swap.
//
// As with every lease, a holder that is stopped for long may wake up and not know yet that it has lost it. So whatever is
// done under a lease must be harmless when two do it.

import type { EntryKey, Store } from "../store/store.ts";
import type { Version } from "../store/version.ts";

/** Bounds a call about a lease: a holder must not wait for longer than it has left. */
export const LEASE_CALL_MS = 3_000;

/** Who holds a lease; null if nobody does. Throws `StoreError`. */
export async function holderOf(store: Store, key: EntryKey): Promise<string | null> {
  return (await store.get(key))?.value.toString() ?? null;
}

export class Lease {
  private version: Version | null = null;
  /** As performance.now() counts: when it has expired at the latest that this process may believe it has it. */
  private until = 0;
  /** The lease of another, and since when it has been this one. */
  private seen: { version: Version; atMs: number } | undefined;

  constructor(
    /** Its deadline is LEASE_CALL_MS, or shorter than a lease. */
    private readonly store: Store,
    private readonly key: EntryKey,
    private readonly options: { holder: string; ttlMs: number },
  ) {}

  /** How long it surely stays this process's. */
  get remainingMs(): number {
    return this.version === null ? 0 : Math.max(0, this.until - performance.now());
  }

  /**
   * Takes it, if nobody has it, or if it has not been renewed for a lease's time by this process's clock: a failover may
   * have led to a machine whose clock is far behind, by which it would not expire. Throws `StoreError`.
   */
  async take(): Promise<boolean> {
    if (await this.write({ ifNoneMatch: "*" })) return true;
    const version = (await this.store.head(this.key))?.version;
    if (version === undefined) return false;
    if (version !== this.seen?.version) {
      this.seen = { version, atMs: performance.now() };
      return false;
    }
    return performance.now() - this.seen.atMs >= this.options.ttlMs && (await this.write({ ifMatch: [version] }));
  }

  /** Holds it for another `ttlMs`, or tells that it is lost. Throws `StoreError`. */
  async renew(): Promise<boolean> {
    return this.version !== null && (await this.write({ ifMatch: [this.version] }));
  }

  /** Lets others have it at once; where that can't be done it expires by itself. */
  async release() {
    const { version } = this;
    this.version = null;
    if (version !== null) await this.store.delete(this.key, [version]).catch(() => {});
  }

  private async write(condition: { ifNoneMatch: "*" } | { ifMatch: Version[] }): Promise<boolean> {
    const { holder, ttlMs } = this.options;
    const sent = performance.now();
    const content = { value: Buffer.from(holder), contentType: "text/plain", metadata: null };
    this.version = await this.store.put(this.key, { ...content, expiry: { afterMs: ttlMs } }, condition);
    this.until = sent + ttlMs;
    return this.version !== null;
  }
}
