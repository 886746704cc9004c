// Which of a namespace's values a dictionary is made of, and whether it is worth having.

import { setImmediate } from "node:timers/promises";
import { type Dictionary, LEAST_BYTES, pack } from "../database/packed.ts";
import type { Zstd } from "../zstd/zstd.ts";
import { dictionaryOf } from "./dictionary.ts";

/** Of the values, one in so many, because those that come together are often alike. */
const EVERY = 4;
const SAMPLES = 192;
/** Of a larger value its beginning, where most of what is common stands. */
const SAMPLE_BYTES = 1024;
/** Bytes that are looked for in other samples. */
const STRETCH = 4;
const PIECE_BYTES = 128;
/** How long pieces are chosen at a time, because calls wait meanwhile. */
const TURN_MS = 2;
/** What is common: of the samples so many have it, and such a share. */
const COMMON = { least: 4, share: 0.03 };
/** Each shard has a copy, and each server has it in memory. */
const DICTIONARY_BYTES = 8 * 1024;
/** Samples whose statistics a dictionary gets. */
const COUNTED = 64;
/** Samples that are not part of it, by which it is judged. */
const JUDGES = 64;
/** A dictionary must make values so much smaller than the one before, or none. */
const BETTER = 0.85;
/** Of values that are packed less well on average, most are tried in vain. */
const SHRUNK = 0.95;

export class Sampling {
  readonly samples: Buffer[] = [];
  private seen = 0;

  take(value: Buffer) {
    if (value.length < LEAST_BYTES || this.isEnough) return;
    this.seen += 1;
    // A copy, because the value may be a part of something larger.
    if (this.seen % EVERY === 0) this.samples.push(Buffer.from(value.subarray(0, SAMPLE_BYTES)));
  }

  get isEnough(): boolean {
    return this.samples.length >= SAMPLES;
  }
}

/**
 * Whether values like the samples become smaller at all; and what many of them have in common, where the others become
 * smaller by it than with the dictionary of now. What only a few have is in it only where its stretches are common.
 */
export async function judge(
  samples: Buffer[],
  now: Dictionary | "none",
  zstd: Zstd,
): Promise<{ shrinks: boolean; better?: Dictionary }> {
  const judges = samples.slice(0, JUDGES);
  const others = samples.slice(JUDGES);
  const content = await commonParts(others);
  await setImmediate();
  const bytes = zstd.makeDictionary(content, others.slice(0, COUNTED));
  await setImmediate();
  const [asTheyCome, packed] = [packedBytes(judges, undefined), packedBytes(judges, now)];
  await setImmediate();
  const better = bytes && dictionaryOf(bytes, zstd);
  if (better && packedBytes(judges, better) <= BETTER * packed) return { shrinks: true, better };
  return { shrinks: packed < SHRUNK * asTheyCome };
}

/**
 * Pieces of samples of which every stretch is in several samples, chosen one after the other by how many samples have what
 * no piece before has (as zstd's COVER does); the best last, where zstd needs the fewest bits to point to.
 */
async function commonParts(samples: Buffer[]): Promise<Buffer> {
  const stretches = new Stretches(samples);
  const least = Math.max(COMMON.least, samples.length * COMMON.share);
  const isCommon = (sample: Buffer, at: number) => stretches.samplesWith(sample, at) >= least;
  const pieces = new Map<string, Buffer>();
  for (const sample of samples) {
    for (let at = 0; at + STRETCH <= sample.length; ) {
      let end = at;
      while (end - at < PIECE_BYTES && end + STRETCH <= sample.length && isCommon(sample, end)) end++;
      if (end === at) at++;
      else {
        const piece = sample.subarray(at, end - 1 + STRETCH);
        pieces.set(piece.toString("latin1"), piece);
        at = end;
      }
    }
  }
  const chosen: Buffer[] = [];
  let left = DICTIONARY_BYTES;
  const worth = (piece: Buffer) => {
    let sum = 0;
    for (let at = 0; at + STRETCH <= piece.length; at++) sum += stretches.samplesWith(piece, at);
    return sum / piece.length;
  };
  // What a piece is worth only falls, so whichever is the best by what it was worth before need be looked at only.
  const queue = Array.from(pieces.values(), (piece) => ({ piece, worth: worth(piece) })).sort(
    (a, b) => a.worth - b.worth,
  );
  let turnEndsAt = performance.now() + TURN_MS;
  for (let best = queue.pop(); best && left > STRETCH; best = queue.pop()) {
    if (performance.now() >= turnEndsAt) {
      await setImmediate();
      turnEndsAt = performance.now() + TURN_MS;
    }
    if (best.piece.length > left) continue;
    const now = worth(best.piece);
    if (now < least / 2) continue;
    if (now < (queue.at(-1)?.worth ?? 0)) {
      const at = queue.findLastIndex((each) => each.worth <= now) + 1;
      queue.splice(at, 0, { piece: best.piece, worth: now });
      continue;
    }
    chosen.push(best.piece);
    left -= best.piece.length;
    for (let at = 0; at + STRETCH <= best.piece.length; at++) stretches.forget(best.piece, at);
  }
  return Buffer.concat(chosen.reverse());
}

/** How many of the samples have each stretch of bytes: a table with open addressing, and each stretch is its own key. */
class Stretches {
  private readonly keys: Uint32Array;
  private readonly counts: Uint16Array;
  /** The number of the last sample that has it, from 1 on; 0 where the place is free. */
  private readonly last: Uint16Array;

  constructor(samples: Buffer[]) {
    const most = samples.reduce((sum, { length }) => sum + length, 1);
    const places = 2 ** Math.ceil(Math.log2(2 * most));
    this.keys = new Uint32Array(places);
    this.counts = new Uint16Array(places);
    this.last = new Uint16Array(places);
    for (const [i, sample] of samples.entries()) {
      for (let at = 0; at + STRETCH <= sample.length; at++) this.count(sample, at, i + 1);
    }
  }

  samplesWith(bytes: Buffer, at: number): number {
    return this.counts[this.placeOf(bytes.readUInt32LE(at))] as number;
  }

  forget(bytes: Buffer, at: number) {
    this.counts[this.placeOf(bytes.readUInt32LE(at))] = 0;
  }

  private count(sample: Buffer, at: number, number: number) {
    const key = sample.readUInt32LE(at);
    const place = this.placeOf(key);
    if (this.last[place] === number) return;
    this.keys[place] = key;
    this.last[place] = number;
    this.counts[place] = (this.counts[place] as number) + 1;
  }

  private placeOf(key: number): number {
    const mask = this.keys.length - 1;
    // Fibonacci hashing, of whose product the upper bits are mixed best.
    const product = Math.imul(key, 0x9e3779b1);
    let place = (product ^ (product >>> 15)) & mask;
    while (this.last[place] !== 0 && this.keys[place] !== key) place = (place + 1) & mask;
    return place;
  }
}

function packedBytes(values: Buffer[], dictionary: Dictionary | "none" | undefined): number {
  return values.reduce(
    (sum, value) => sum + pack({ value, contentType: "", metadata: null }, dictionary).value.length,
    0,
  );
}
