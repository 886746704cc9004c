// Which answers of a shard's primaries may be told, so that nothing stale is read while one primary does not know yet that
// there is another. Pure: instants are passed in, in milliseconds by a clock that only goes on.
//
// What is known of MySQL and Vitess: (a) a commit is acknowledged, and seen by anybody, only after a replica has it; (b) an
// emergency reparent promotes a primary only after the former one can get no acknowledgement any more, at an instant T.
// Hence a commit that was sent at m and was acknowledged in a term proves that T of the term's end is after m.
//
//  1. A read in a term is told only if its answer came within a lease of `leaseMs` from such an m.
//  2. Nothing of a term is told, neither reads nor acknowledgements, before it is clear: until at least `leaseMs` have passed
//     since its beginning. Who has just seen its first answer waits for so long from then on, unless the change was planned,
//     which stops the former primary first, or somebody has waited before, and has left a mark in the shard.
//
// So what is read in a term was read before m + leaseMs, hence before T + leaseMs, hence before anything of the next term was
// told to anybody. A mysqld that is started again in place shows what nobody has acknowledged: it has another tag, so that a
// lease from before is none for it.

import { type Tag, termOf } from "../database/tag.ts";

/** A lease ends so much earlier for who reads, for clocks that run at different rates, or stood still unnoticed. */
const MARGIN = 0.1;
/** What has this part of its lease behind it is renewed while it is still good. */
const RENEW_AT = 0.5;
/** Terms that are remembered; the oldest are forgotten, and would be waited for again. */
const REMEMBERED = 200_000;

export class Terms {
  /** Terms that are clear, with their leases' time. */
  private readonly clear = new Map<number, number>();
  /** By tag, when the last commit was sent that was acknowledged. */
  private readonly provedAt = new Map<Tag, number>();

  /** Anybody's leases are at most as long as the wait of whoever clears a term. */
  constructor(readonly leaseMs: number) {}

  /** A commit that was sent at `sentAt` was acknowledged. */
  acknowledged(tag: Tag, sentAt: number) {
    const before = this.provedAt.get(tag);
    if (before === undefined || before < sentAt) remember(this.provedAt, tag, sentAt);
  }

  /** So much time has passed since its beginning, or was not needed, as its mark says. */
  cleared(term: number, leaseMs: number) {
    remember(this.clear, term, Math.min(leaseMs, this.leaseMs));
  }

  isClear(tag: Tag): boolean {
    return this.clear.has(termOf(tag));
  }

  /** Whether what a clear term's primary has answered by `receivedAt` is not stale. */
  isCovered(tag: Tag, receivedAt: number): boolean {
    return receivedAt < this.provenAt(tag) + (1 - MARGIN) * this.leaseOf(tag);
  }

  /** Whether its lease should be renewed soon. */
  isAging(tag: Tag, now: number): boolean {
    return now >= this.provenAt(tag) + RENEW_AT * this.leaseOf(tag);
  }

  private provenAt(tag: Tag): number {
    return this.provedAt.get(tag) ?? Number.NEGATIVE_INFINITY;
  }

  private leaseOf(tag: Tag): number {
    return this.clear.get(termOf(tag)) ?? 0;
  }
}

function remember<K, V>(map: Map<K, V>, key: K, value: V) {
  map.set(key, value);
  if (map.size > REMEMBERED) map.delete(map.keys().next().value as K);
}
