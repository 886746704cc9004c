// Pages of listings, over scans of single shards.

import { KEY_SPACE_END, type Shard, shardAt } from "../database/shards.ts";
import type { Range } from "../database/statements.ts";
import type { Scanned } from "../database/table.ts";
import {
  type EntryInfo,
  type EntryKey,
  following,
  type ListedEntry,
  type ListPage,
  type ListQuery,
} from "../store/store.ts";

/** Scans that a page may take one after the other: where much has expired or little is there, it is short. */
const ROUNDS = 8;

/** What a listing needs. */
export interface Scans {
  shards: () => readonly Shard[];
  /** Where in the shards' ranges a key is; without it a listing can't begin in the middle of a shard. */
  idOf?: (key: EntryKey) => bigint;
  /** Null where the shard did not take it, because it may have gone. */
  scan: (shard: string, range: Range) => Promise<Scanned[] | null>;
  /** An entry that a scan has found expired, see `Found`. */
  head: (key: EntryKey) => Promise<EntryInfo | null>;
}

export function pageOf(scans: Scans, query: ListQuery): Promise<ListPage> {
  return query.order === "key" ? pageInOrder(scans, query) : pageByShards(scans, query);
}

async function pageInOrder(scans: Scans, query: ListQuery): Promise<ListPage> {
  const { start, end, reverse, limit, rest } = query;
  const page = new Page(query);
  const compare = (a: Buffer, b: Buffer) => (reverse ? Buffer.compare(b, a) : Buffer.compare(a, b));
  const behind = (key: Buffer) => (reverse ? key : following(key));
  if (rest && !("bound" in rest)) throw new RangeError("a listing in the order of keys goes on from a key");
  let bound = reverse ? end : start;
  if (rest && compare(rest.bound, bound) > 0) bound = rest.bound;
  for (let round = 0; round < ROUNDS; ) {
    const shards = scans.shards();
    const share = shareOf(limit - page.entries.length, shards.length);
    const range = { ...(reverse ? { start, end: bound } : { start: bound, end }), reverse, limit: share };
    const answers = await Promise.all(shards.map(({ name }) => scans.scan(name, range)));
    // The whole of it anew: the shards are others by now.
    if (!isComplete(answers)) continue;
    round += 1;
    // What lies behind the end of a shard's answer is not known of that shard.
    const ends = answers.filter(({ length }) => length === share).map((rows) => (rows.at(-1) as Scanned).key);
    const [known] = ends.toSorted(compare);
    const rows = answers
      .flat()
      .filter(({ key }) => !known || compare(key, known) <= 0)
      .toSorted((a, b) => compare(a.key, b.key));
    for (const entry of await live(scans, rows)) {
      const last = page.entries.at(-1);
      if (!page.add(entry)) return { entries: page.entries, rest: { bound: behind((last as ListedEntry).key) } };
    }
    if (!known) return { entries: page.entries, rest: null };
    bound = behind(known);
    if (page.isFull) break;
  }
  return { entries: page.entries, rest: { bound } };
}

/**
 * Shards in the order of their ranges, and the keys of each in their order. Where shards have been split or merged since
 * the page before, the part that it has left in the middle is found by the keys' hashes.
 */
async function pageByShards(scans: Scans, query: ListQuery): Promise<ListPage> {
  const { start, end, limit, rest } = query;
  const page = new Page(query);
  if (rest && !("from" in rest)) throw new RangeError("a listing by shards goes on from a part of their range");
  let { from, parts } = rest ?? { from: 0n, parts: [{ end: KEY_SPACE_END, after: null }] };
  for (let round = 0; round < ROUNDS && !page.isFull; ) {
    const [part, ...others] = parts;
    if (!part) break;
    const shard = shardAt(scans.shards(), from);
    const until = part.end < shard.end ? part.end : shard.end;
    const share = limit - page.entries.length;
    const bound = part.after && Buffer.compare(part.after, start) >= 0 ? following(part.after) : start;
    const scanned = await scans.scan(shard.name, { start: bound, end, reverse: false, limit: share });
    if (!scanned) continue;
    round += 1;
    const isWhole = from === shard.start && until === shard.end;
    const rows = isWhole ? scanned : scanned.filter(({ key }) => isWithin(scans, key, from, until));
    let last: Buffer | null | undefined = scanned.length < share ? undefined : scanned.at(-1)?.key;
    let before = part.after;
    for (const entry of await live(scans, rows)) {
      if (!page.add(entry)) {
        last = before;
        break;
      }
      before = entry.key;
    }
    const behind = until === part.end ? others : parts;
    if (last === undefined) {
      from = until;
      parts = behind;
    } else {
      parts = [{ end: until, after: last }, ...behind];
    }
  }
  return { entries: page.entries, rest: parts.length === 0 ? null : { from, parts } };
}

class Page {
  readonly entries: ListedEntry[] = [];
  private bytesLeft: number;
  private hasRefused = false;

  constructor(private readonly query: ListQuery) {
    this.bytesLeft = query.valueBytes ?? Number.POSITIVE_INFINITY;
  }

  get isFull(): boolean {
    return this.hasRefused || this.entries.length >= this.query.limit;
  }

  /** Whether it had room for the entry. */
  add(entry: ListedEntry): boolean {
    this.bytesLeft -= entry.valueBytes;
    this.hasRefused ||= this.isFull || (this.bytesLeft < 0 && this.entries.length > 0);
    if (!this.hasRefused) this.entries.push(entry);
    return !this.hasRefused;
  }
}

function isComplete(answers: (Scanned[] | null)[]): answers is Scanned[][] {
  return !answers.includes(null);
}

function isWithin({ idOf }: Scans, key: EntryKey, from: bigint, until: bigint): boolean {
  if (!idOf) throw new RangeError("a listing by shards goes on where shards are known");
  const id = idOf(key);
  return id >= from && id < until;
}

/** The entries of these rows that are there, in order. */
async function live({ head }: Scans, rows: Scanned[]): Promise<ListedEntry[]> {
  const found = await Promise.all(
    rows.map(async ({ key, found }) => {
      const info = found === "expired" ? await head(key) : found;
      return info && { ...info, key };
    }),
  );
  return found.filter((entry) => entry !== null);
}

/** Rows to ask each shard for: by chance, some have more of the next than others. One more tells that there is more. */
function shareOf(limit: number, shards: number): number {
  const mean = Math.ceil((limit + 1) / shards);
  return shards === 1 ? mean : Math.min(limit + 1, mean + 3 * Math.ceil(Math.sqrt(mean)));
}
