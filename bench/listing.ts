// One listing of a namespace from its first page to its last, over HTTP: how long each page took, and whether every key
// that stays was in exactly one of them.

import { setTimeout as sleep } from "node:timers/promises";
import { median } from "./report.ts";

export const ORDERS = ["key", "any"] as const;
export type Order = (typeof ORDERS)[number];

/** Entries of a page. */
export const PAGE = 1_000;

/** Pages are compared by where they are in a listing: in which of so many equal parts. */
export const PARTS = 10;

/** Before a page is asked for again. */
const RETRY_MS = 100;

export interface Listing {
  order: Order;
  /** As performance.now() counts. */
  begunMs: number;
  endedMs: number;
  pagesMs: number[];
  /** Those that stay among them and others. */
  entries: number;
  /** Of those that stay. */
  missing: number;
  doubled: number;
  /** Pages that were answered with something else than a page, and asked for again. */
  errors: number;
}

export interface ListingOptions {
  /** Of the namespace. */
  url: string;
  order: Order;
  /** How many keys stay, numbered from 0. */
  staying: number;
  /** The number of a key that stays; undefined of any other. */
  numberOf: (key: string) => number | undefined;
  /** Awaited between two pages; told how many entries there have been. */
  pause?: (entries: number) => Promise<unknown>;
  report: (entries: number) => void;
  signal: AbortSignal;
}

export async function listAll(options: ListingOptions): Promise<Listing> {
  const { url, order, staying, numberOf, pause, report, signal } = options;
  const times = new Uint8Array(staying);
  const pagesMs: number[] = [];
  const begunMs = performance.now();
  let [entries, errors] = [0, 0];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const askedMs = performance.now();
    const answer = await fetch(`${url}?order=${order}&limit=${PAGE}${cursor && `&cursor=${cursor}`}`, { signal });
    const text = await answer.text();
    if (answer.status !== 200) {
      errors += 1;
      await sleep(RETRY_MS, undefined, { signal });
      continue;
    }
    pagesMs.push(performance.now() - askedMs);
    const page = JSON.parse(text) as { entries: { key: string }[]; cursor: string | null };
    for (const { key } of page.entries) {
      const number = numberOf(key);
      if (number !== undefined) times[number] = Math.min(2, (times[number] as number) + 1);
    }
    entries += page.entries.length;
    report(entries);
    cursor = page.cursor;
    await pause?.(entries);
  }
  const seen = (count: number) => times.reduce((all, each) => all + Number(each === count), 0);
  return { order, begunMs, endedMs: performance.now(), pagesMs, entries, missing: seen(0), doubled: seen(2), errors };
}

/** The median of a page in each part of the listing, from its beginning to its end. */
export function pagesByPart(pagesMs: number[]): number[] {
  const at = (part: number) => Math.floor((part * pagesMs.length) / PARTS);
  return Array.from({ length: PARTS }, (_, i) => median(pagesMs.slice(at(i), at(i + 1))));
}
