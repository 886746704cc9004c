// Pages of a listing in which keys with a common part up to a delimiter are one group, as in folders.

import { behindPrefix, type ListedEntry, type ListPage, type ListQuery, type ListRest } from "../store/store.ts";

/** Keys that are read before it is known whether what follows is one group. */
const FIRST_READ = 8;
/** Reads of a page: one that finds groups only may take as many as there are groups. */
const READS = 200;

export interface GroupedPage extends ListPage {
  /** What the keys of each have in common, with the delimiter. */
  groups: Buffer[];
}

/**
 * A page of entries and groups, together no more than its limit. What lies below a group is skipped and not read: each
 * read ends at the first group that it finds, and the next one begins behind that.
 */
export async function groupedPage(
  list: (query: ListQuery) => Promise<ListPage>,
  query: ListQuery,
  /** The delimiter counts from `at` on: what the keys begin with anyway makes no group. */
  { at, delimiter }: { at: number; delimiter: Buffer },
): Promise<GroupedPage> {
  const entries: ListedEntry[] = [];
  const groups: Buffer[] = [];
  let rest: ListRest | null | undefined = query.rest;
  let read = FIRST_READ;
  let valueBytes = query.valueBytes;
  for (let reads = 0; reads < READS; reads++) {
    const left = query.limit - entries.length - groups.length;
    if (left === 0 || rest === null || (valueBytes !== undefined && valueBytes <= 0)) break;
    const page: ListPage = await list({ ...query, limit: Math.min(read, left), valueBytes, rest });
    const groupAt = page.entries.findIndex(({ key }) => key.indexOf(delimiter, at) >= 0);
    const plain = groupAt < 0 ? page.entries : page.entries.slice(0, groupAt);
    entries.push(...plain);
    if (valueBytes !== undefined) valueBytes -= plain.reduce((sum, entry) => sum + entry.valueBytes, 0);
    rest = page.rest;
    read *= 2;
    if (groupAt < 0) continue;
    const { key } = page.entries[groupAt] as ListedEntry;
    const group = key.subarray(0, key.indexOf(delimiter, at) + delimiter.length);
    groups.push(group);
    rest = { bound: query.reverse ? group : behindPrefix(group) };
    read = FIRST_READ;
  }
  return { entries, groups, rest: rest ?? null };
}
