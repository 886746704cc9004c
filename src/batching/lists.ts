// Pages of listings, over scans of single shards.

import { KEY_SPACE_END, type Shard, shardAt } from "../database/shards.ts";
import type { Range } from "../database/statements.ts";
import type { Scanned } from "../database/table.ts";
import type { EntryInfo, EntryKey, ListedEntry, ListPage, ListQuery } from "../store/store.ts";

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

async function pageInOrder(scans: Scans, { start, end, reverse, limit, rest }: ListQuery): Promise<ListPage> {
  if (rest && !("after" in rest)) throw new RangeError("a listing in the order of keys goes on after one");
  const entries: ListedEntry[] = [];
  let bounds = { start, end };
  const goOnAfter = (key: Buffer) => {
    bounds = reverse ? { start, end: key } : { start: following(key), end };
  };
  if (rest) goOnAfter(rest.after);
  for (let round = 0; round < ROUNDS; ) {
    const shards = scans.shards();
    const share = shareOf(limit - entries.length, shards.length);
    const answers = await Promise.all(shards.map(({ name }) => scans.scan(name, { ...bounds, reverse, limit: share })));
    // The whole of it anew: the shards are others by now.
    if (answers.includes(null)) continue;
    round += 1;
    const compare = (a: Buffer, b: Buffer) => (reverse ? Buffer.compare(b, a) : Buffer.compare(a, b));
    // What lies behind the end of a shard's answer is not known of that shard.
    const ends = (answers as Scanned[][]).filter(({ length }) => length === share).map((rows) => rows.at(-1)?.key);
    const [known] = (ends as EntryKey[]).toSorted(compare);
    const rows = (answers as Scanned[][])
      .flat()
      .filter(({ key }) => !known || compare(key, known) <= 0)
      .toSorted((a, b) => compare(a.key, b.key));
    for (const entry of await live(scans, rows)) {
      entries.push(entry);
      if (entries.length < limit) continue;
      const isLast = !known && rows.at(-1)?.key === entry.key;
      return { entries, rest: isLast ? null : { after: entry.key } };
    }
    if (!known) return { entries, rest: null };
    goOnAfter(known);
    if (round === ROUNDS) return { entries, rest: { after: known } };
  }
  return { entries, rest: null };
}

/**
 * Shards in the order of their ranges, and the keys of each in their order. Where shards have been split or merged since
 * the page before, the part that it has left in the middle is found by the keys' hashes.
 */
async function pageByShards(scans: Scans, { start, end, limit, rest }: ListQuery): Promise<ListPage> {
  if (rest && !("from" in rest)) throw new RangeError("a listing by shards goes on from a part of their range");
  const entries: ListedEntry[] = [];
  let { from, parts } = rest ?? { from: 0n, parts: [{ end: KEY_SPACE_END, after: null }] };
  for (let round = 0; round < ROUNDS && entries.length < limit; ) {
    const [part, ...others] = parts;
    if (!part) return { entries, rest: null };
    const shard = shardAt(scans.shards(), from);
    const until = part.end < shard.end ? part.end : shard.end;
    const share = limit - entries.length;
    const bounds = { start: part.after ? following(part.after) : start, end };
    const scanned = await scans.scan(shard.name, { ...bounds, reverse: false, limit: share });
    if (!scanned) continue;
    round += 1;
    const isWhole = from === shard.start && until === shard.end;
    const rows = isWhole ? scanned : scanned.filter(({ key }) => isWithin(scans, key, from, until));
    entries.push(...(await live(scans, rows)));
    const behind = until === part.end ? others : parts;
    const last = scanned.at(-1)?.key;
    if (scanned.length < share || !last) {
      from = until;
      parts = behind;
    } else {
      parts = [{ end: until, after: last }, ...behind];
    }
  }
  return { entries, rest: parts.length === 0 ? null : { from, parts } };
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

/** The first of all keys behind it. */
function following(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.of(0)]);
}
