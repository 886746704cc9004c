// Patterns of keys as Redis has them (`stringmatchlen` of its util.c): `*`, `?`, `[a-c]`, `[^a]`, and `\` before what
// means itself. In a time that grows with the product of both lengths at most, whatever the pattern.

const [STAR, ANY, OPEN, CLOSE, ESCAPE, NOT, TO] = Buffer.from("*?[]\\^-") as unknown as number[];

export function matchesGlob(pattern: Buffer, text: Buffer): boolean {
  let [p, t] = [0, 0];
  let star: { p: number; t: number } | undefined;
  while (t < text.length) {
    if (pattern[p] === STAR) {
      star = { p: p + 1, t };
      p += 1;
      continue;
    }
    const next = p < pattern.length ? afterMatch(pattern, p, text[t] as number) : undefined;
    if (next !== undefined) {
      p = next;
      t += 1;
    } else if (star) {
      star.t += 1;
      [p, t] = [star.p, star.t];
    } else {
      return false;
    }
  }
  while (pattern[p] === STAR) p += 1;
  return p >= pattern.length;
}

/** What every text that matches begins with. */
export function literalPrefix(pattern: Buffer): Buffer {
  const end = pattern.findIndex((byte) => byte === STAR || byte === ANY || byte === OPEN || byte === ESCAPE);
  return end < 0 ? pattern : pattern.subarray(0, end);
}

/** Where the pattern goes on behind what matches one byte; undefined where that does not match. */
function afterMatch(pattern: Buffer, p: number, byte: number): number | undefined {
  if (pattern[p] === ANY) return p + 1;
  if (pattern[p] === OPEN) return afterClass(pattern, p + 1, byte);
  const at = pattern[p] === ESCAPE && p + 1 < pattern.length ? p + 1 : p;
  return pattern[at] === byte ? at + 1 : undefined;
}

/** A class that has no end goes to the end of the pattern. */
function afterClass(pattern: Buffer, start: number, byte: number): number | undefined {
  const isNegated = pattern[start] === NOT;
  let isIn = false;
  let p = isNegated ? start + 1 : start;
  for (; p < pattern.length && pattern[p] !== CLOSE; p++) {
    const left = pattern.length - p;
    if (pattern[p] === ESCAPE && left >= 2) {
      p += 1;
      isIn ||= pattern[p] === byte;
    } else if (pattern[p + 1] === TO && left >= 3) {
      const [from = 0, to = 0] = [pattern[p], pattern[p + 2]].toSorted((a = 0, b = 0) => a - b);
      isIn ||= byte >= from && byte <= to;
      p += 2;
    } else {
      isIn ||= pattern[p] === byte;
    }
  }
  return isIn === isNegated ? undefined : Math.min(p + 1, pattern.length);
}
