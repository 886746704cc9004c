// What replicas may be read for: each renewal of a lease writes when it was sent, and whatever was acknowledged to anybody
// before that instant is in every replica that has this. So a replica tells by it how far behind it can be, also one that
// follows a former primary and does not know that there is another.

/** An answer of a replica may be so old. */
export const EVENTUAL_MS = 10_000;

export class Beats {
  private last = 0;
  /** Those that were acknowledged and that an answer may still have. */
  private readonly known = new Set<number>();

  /** A whole number of milliseconds, not later than the instant, that no other beat has. */
  next(sentAt: number): number {
    this.last = Math.max(this.last + 1, Math.floor(sentAt));
    return this.last;
  }

  acknowledged(beat: number) {
    for (const each of this.known) if (each < beat - EVENTUAL_MS) this.known.delete(each);
    this.known.add(beat);
  }

  /** Whether what a replica has is recent enough, as one that has this beat. One that was never acknowledged may be a former primary's. */
  isFresh(beat: number | undefined, receivedAt: number): boolean {
    return beat !== undefined && this.known.has(beat) && receivedAt - beat <= EVENTUAL_MS;
  }

  /** Whether replicas need another. */
  isDue(now: number, everyMs: number): boolean {
    return now - this.last >= everyMs;
  }
}
