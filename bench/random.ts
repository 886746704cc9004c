// Chance, for loads, draws and simulations: from a seed where a run must be repeatable, and with YCSB's skew.

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

/** A whole number from 0 to less than `count`, each as often as any other. */
export function uniform(count: number, random = Math.random): number {
  return Math.floor(random() * count);
}

/** YCSB draws ranks from ten billion items, whose zeta(theta) it states, and folds them onto the keys there are. */
const ITEMS = 10_000_000_000;
const THETA = 0.99;
const ZETA_ITEMS = 26.46902820178302;

const ZETA_2 = 1 + 0.5 ** THETA;
const ALPHA = 1 / (1 - THETA);
const ETA = (1 - (2 / ITEMS) ** (1 - THETA)) / (1 - ZETA_2 / ZETA_ITEMS);

/** A rank from 0, the most popular, by Gray et al., "Quickly generating billion-record synthetic databases". */
function rank(): number {
  const u = Math.random();
  const uz = u * ZETA_ITEMS;
  if (uz < 1) return 0;
  if (uz < ZETA_2) return 1;
  return Math.floor(ITEMS * (ETA * u - ETA + 1) ** ALPHA);
}

/**
 * A key below `keys`, the same one for a rank every time. This is YCSB's ScrambledZipfianGenerator: a few keys are hot, and
 * hot keys lie anywhere among all keys.
 */
export function scrambledZipfian(keys: number): number {
  const item = rank();
  // MurmurHash3's finalizer over both halves, in place of YCSB's 64-bit FNV: any good mixing serves.
  let hash = (item ^ Math.imul(Math.floor(item / 0x1_0000_0000) + 1, 0x9e3779b1)) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % keys;
}

/** A name for each number, of which those of consecutive numbers are far apart. */
export function scattered(number: number): string {
  return Bun.hash.xxHash64(String(number)).toString(16).padStart(16, "0");
}
