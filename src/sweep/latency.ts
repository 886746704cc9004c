// Whether a sweep slows down others' statements: those that are sent during its steps are compared with those that are
// sent in the pauses between them. It is its own control group, so what else makes statements slow does not count.

/** Weight of one more statement in an average. */
const WEIGHT = 1 / 64;
/** Fewer in one of the two groups, or longer ago, tell nothing. */
const FEWEST = 30;
const STALE_MS = 5_000;

class Average {
  ms = 0;
  private count = 0;
  private at = 0;

  add(ms: number) {
    this.count += 1;
    this.at = performance.now();
    this.ms += (ms - this.ms) * Math.max(WEIGHT, 1 / this.count);
  }

  get isKnown(): boolean {
    return this.count >= FEWEST && performance.now() - this.at < STALE_MS;
  }
}

export class Latency {
  private readonly kinds = new Map<string, { during: Average; between: Average }>();

  constructor(private readonly isSweeping: () => boolean) {}

  /** A statement of a kind is sent; to be called when it has been answered. */
  begin(kind: string): () => void {
    let averages = this.kinds.get(kind);
    if (!averages) {
      averages = { during: new Average(), between: new Average() };
      this.kinds.set(kind, averages);
    }
    const average = this.isSweeping() ? averages.during : averages.between;
    const begun = performance.now();
    return () => average.add(performance.now() - begun);
  }

  /** How many times as long statements take during steps, on average over the kinds; 1 where too few are sent. */
  get slowdown(): number {
    const ratios = [...this.kinds.values()]
      .filter(({ during, between }) => during.isKnown && between.isKnown)
      .map(({ during, between }) => during.ms / between.ms);
    return ratios.length === 0 ? 1 : ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length;
  }
}
