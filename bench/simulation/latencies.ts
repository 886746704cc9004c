// Latencies of simulated calls, in buckets that are a hundredth wide.

const LEAST_SECONDS = 1e-5;
const GROWTH = 1.01;
const BUCKETS = 1_600;

export class Latencies {
  count = 0;
  private readonly buckets = new Uint32Array(BUCKETS);

  add(seconds: number) {
    const bucket = Math.floor(Math.log(Math.max(1, seconds / LEAST_SECONDS)) / Math.log(GROWTH));
    const kept = Math.min(bucket, BUCKETS - 1);
    this.buckets[kept] = (this.buckets[kept] as number) + 1;
    this.count += 1;
  }

  /** In milliseconds; not a number where there are none. */
  percentile(share: number): number {
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.buckets[bucket] as number;
      if (seen > 0 && seen >= share * this.count) return 1000 * LEAST_SECONDS * GROWTH ** (bucket + 0.5);
    }
    return Number.NaN;
  }
}
