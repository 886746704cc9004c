// Whether statements take longer than usual: two moving averages of each kind, one of about a second, one of a calm
// minute.

/** Half-lives of the two, and the time without statements after which nothing is known. */
const RECENT_MS = 1_000;
const USUAL_MS = 60_000;
const STALE_MS = 2_000;

interface Averages {
  recentMs: number;
  usualMs: number;
  at: number;
}

export class Latency {
  private readonly kinds = new Map<string, Averages>();

  /** `isCalm` while nothing is under way whose effect is wanted. */
  constructor(private readonly isCalm: () => boolean) {}

  observe(kind: string, ms: number) {
    const now = performance.now();
    const known = this.kinds.get(kind);
    if (!known) {
      this.kinds.set(kind, { recentMs: ms, usualMs: ms, at: now });
      return;
    }
    const sinceMs = now - known.at;
    const moved = (average: number, halfLifeMs: number) => ms + (average - ms) * 0.5 ** (sinceMs / halfLifeMs);
    known.recentMs = moved(known.recentMs, RECENT_MS);
    if (this.isCalm()) known.usualMs = moved(known.usualMs, USUAL_MS);
    known.at = now;
  }

  /** How many times as long as usual the kind takes that suffers most; 1 where there were no statements lately. */
  get slowdown(): number {
    const since = performance.now() - STALE_MS;
    return this.kinds.values().reduce((most, { recentMs, usualMs, at }) => {
      return at < since ? most : Math.max(most, recentMs / usualMs);
    }, 1);
  }
}
