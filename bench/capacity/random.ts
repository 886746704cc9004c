// Random numbers that are the same for the same seed.

/** Numbers from 0 to less than 1: mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A draw from the triangle over [low, high] whose peak is at the value. */
export function triangular(
  random: () => number,
  { low, value, high }: { low: number; value: number; high: number },
): number {
  if (high <= low) return value;
  const at = random();
  const peak = (value - low) / (high - low);
  return at < peak
    ? low + Math.sqrt(at * (high - low) * (value - low))
    : high - Math.sqrt((1 - at) * (high - low) * (high - value));
}
