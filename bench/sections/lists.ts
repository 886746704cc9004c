// Lists of very many keys while others write, and while shards are split: whether every key that stays is in them once,
// whether a page costs the same wherever it is, and whether the server's memory grows.

import { setTimeout as sleep } from "node:timers/promises";
import { inspectBackend, SHOW_SHARDS, servingShards } from "../../src/database/backend.ts";
import { connect, type Rows } from "../../src/database/connect.ts";
import { entryKey } from "../../src/store/store.ts";
import { reshard } from "../../vitess/operate/reshard.ts";
import { step } from "../../vitess/support/progress.ts";
import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { atLeast, atMost, type Bar, barTable, none } from "../bars.ts";
import { memoryMb } from "../cpu.ts";
import { fillRows } from "../fill.ts";
import { type Listing, listAll, ORDERS, type Order, PAGE, PARTS, pagesByPart } from "../listing.ts";
import type { LoadResult } from "../load/run.ts";
import { runLoad } from "../load/run.ts";
import { sum } from "../load/tally.ts";
import { KEY_DIGITS } from "../load/value.ts";
import { type Findings, figure, median, packageVersion, table } from "../report.ts";
import type { Rig } from "../rig.ts";
import { VALUE_BYTES } from "../system.ts";

const KEYS = 1_000_000;
/** Small, because lists don't read them, and every row is written and copied. */
const KEPT_BYTES = 64;
const NAMESPACE = "lists";
/** PUTs and DELETEs a second, of keys that come and go. */
const RATE = 2_000;
const WRITERS = 500;
/** So many keys that stay lie behind each that comes and goes. */
const GROUP = 100;
const SHARDS = { before: 2, after: 4 };
/**
 * While shards are split, a listing goes slower once it has seen half of the keys, and with three quarters it waits for
 * the split: so it has begun long before and ends after, and has pages under way at any time.
 */
const SLOW = { from: 0.5, until: 0.75, pauseMs: 500 };
const SAMPLE_MS = 500;
const LOOK_MS = 250;
const LOOK_TIMEOUT_MS = 2_000;
/** Longer than any phase takes: its load is ended with it. */
const ENDLESS_SECONDS = 3_600;

interface Phase {
  name: string;
  listings: Listing[];
  writesPerSecond: number;
  writeErrors: Record<string, number>;
  violations: number;
  /** The server's, sampled. */
  memoryMb: number[];
}

/** With so many keys that stay. */
export async function lists(rig: Rig, keys = KEYS): Promise<Findings> {
  const { dataDir } = await rig.clusterOf(SHARDS.before);
  const { url, pid } = await rig.startServer();
  const keyOf = (row: number) => entryKey(NAMESPACE, nameOf(row));
  await fillRows(rig, { rows: keys, keyOf, expiry: "never", value: Buffer.alloc(KEPT_BYTES, "v") });
  const list = (order: Order, title: string, pause?: (entries: number) => Promise<unknown>) =>
    step(title, (report) =>
      listAll({
        ...{ url: `${url}/v1/kv/${NAMESPACE}`, order, staying: keys, numberOf, pause, signal: rig.signal },
        report: (entries) => report(figure(entries)),
      }),
    );
  const listBoth = (when: string, pause?: (entries: number) => Promise<unknown>) =>
    Promise.all(ORDERS.map((order) => list(order, `list by ${order} ${when}`, pause)));
  const phase = (name: string, work: () => Promise<Listing[]>) => whileWriting(rig, { name, url, pid, keys }, work);

  const { seconds, warmupSeconds } = rig.options;
  const alone = await phase("writes alone", async () => {
    await sleep(1000 * (seconds + warmupSeconds), undefined, { signal: rig.signal });
    return [];
  });
  const during = await phase("lists while writing", () => listBoth("while writing"));
  let splitMs = Number.POSITIVE_INFINITY;
  const splitting = await phase(`lists while shards are split, ${SHARDS.before} to ${SHARDS.after}`, async () => {
    const split = whenSplit(rig);
    const pause = async (entries: number) => {
      if (performance.now() >= splitMs || entries < SLOW.from * keys) return;
      await (entries < SLOW.until * keys ? sleep(SLOW.pauseMs, undefined, { signal: rig.signal }) : split);
    };
    const [listings] = await Promise.all([
      listBoth("while shards are split", pause),
      reshard(dataDir, SHARDS.after, rig.signal),
      split.then((ms) => {
        splitMs = ms;
      }),
    ]);
    return listings;
  });
  // Other sections begin with as many shards as this one did.
  await rig.open();
  const phases = [alone, during, splitting];
  const through = splitting.listings.filter(({ begunMs, endedMs }) => begunMs < splitMs && splitMs < endedMs);
  const bars = judge(phases, through);
  return {
    versions: { vitess: VITESS_VERSION, mysql2: packageVersion("mysql2") },
    method: `${figure(keys)} keys that stay, with values of ${KEPT_BYTES} bytes, listed without values in pages of ${figure(PAGE)} by two clients, one for each order, each page after the one before; beside them the load simulator makes ${figure(RATE)} PUTs and DELETEs/s of other keys, one among every ${GROUP} that stay, every answer checked. While shards are split, a listing goes slowly from half of the keys on, and goes on at full speed when they are.`,
    data: { keys, phases: phases.map(withoutPages), bars },
    markdown: [
      ...["## Listings", listingTable(phases)],
      ...["## A page's median by where it is, ms", partTable(during.listings)],
      ...["## The server's memory", memoryTable(phases)],
      ...["## Bars", barTable(bars)],
    ].join("\n\n"),
  };
}

/** Names of the load simulator's keys lie between them: `k` and as many digits. */
function nameOf(row: number): string {
  const [group, member] = [Math.floor(row / GROUP), row % GROUP];
  return `k${String(group).padStart(KEY_DIGITS, "0")}-${String(member).padStart(2, "0")}`;
}

function numberOf(key: string): number | undefined {
  const [group = "", member] = key.slice(1).split("-");
  return member === undefined ? undefined : GROUP * Number(group) + Number(member);
}

/** Waits until calls go to more shards than before; tells when that was, as performance.now() counts. */
async function whenSplit(rig: Rig): Promise<number> {
  const { url, vtgates } = await rig.cluster();
  const database = connect({ url, backend: await inspectBackend(url), connections: 1, queueLimit: 1 });
  const statement = { name: "shards", sql: SHOW_SHARDS, params: [], writes: false };
  try {
    for (;;) {
      const rows = await database.execute<Rows>(statement, LOOK_TIMEOUT_MS).catch(() => []);
      if (servingShards(rows, vtgates[0].database).length === SHARDS.after) return performance.now();
      await sleep(LOOK_MS, undefined, { signal: rig.signal });
    }
  } finally {
    await database.close();
  }
}

/** Does the work while keys come and go. */
async function whileWriting(
  { signal }: Rig,
  { name, url, pid, keys }: { name: string; url: string; pid: number; keys: number },
  work: () => Promise<Listing[]>,
): Promise<Phase> {
  return await step(name, async () => {
    const memory = [memoryMb(pid)];
    const timer = setInterval(() => memory.push(memoryMb(pid)), SAMPLE_MS);
    const end = new AbortController();
    const load = {
      ...{ url, workload: "churn" as const, distribution: "uniform" as const, keys: Math.ceil(keys / GROUP) },
      ...{ namespace: NAMESPACE, valueBytes: VALUE_BYTES, clients: [WRITERS], rate: RATE, fill: false },
      ...{ warmup: 0, seconds: ENDLESS_SECONDS },
    };
    const writing = runLoad(load, { signal: AbortSignal.any([signal, end.signal]) });
    let listings: Listing[];
    let written: LoadResult;
    try {
      listings = await work();
    } finally {
      end.abort();
      clearInterval(timer);
      written = await writing;
    }
    const [{ writes, errors, refused }] = written.steps as [LoadResult["steps"][0]];
    return {
      ...{ name, listings, writesPerSecond: writes.perSecond, writeErrors: { ...errors, ...refused } },
      violations: written.violations,
      memoryMb: memory,
    };
  });
}

function judge(phases: Phase[], through: Listing[]): Bar[] {
  const [, during, splitting] = phases as [Phase, Phase, Phase];
  const half = Math.ceil(during.memoryMb.length / 2);
  const [earlier, later] = [most(during.memoryMb.slice(0, half)), most(during.memoryMb.slice(half))];
  const listings = phases.flatMap((phase) => phase.listings);
  const total = (count: (listing: Listing) => number) => listings.reduce((all, listing) => all + count(listing), 0);
  return [
    none(
      "keys that stay and were not listed",
      total(({ missing }) => missing),
    ),
    none(
      "keys that stay and were listed twice",
      total(({ doubled }) => doubled),
    ),
    ...ORDERS.map((order) =>
      atLeast(`listings by ${order} that had begun before the split and ended after it`, 1, count(through, order)),
    ),
    ...during.listings.map((listing) =>
      atMost(`by ${listing.order}, median of a page anywhere against the first tenth`, 2, growth(listing)),
    ),
    atLeast("writes/s beside them, against those that were due", 0.95, during.writesPerSecond / RATE),
    atMost("the server's memory at most, later half of the listings against the earlier", 1.25, later / earlier),
    atMost("the same while shards are split, against before", 1.5, most(splitting.memoryMb) / most(during.memoryMb)),
    none(
      "pages that failed",
      total(({ errors }) => errors),
    ),
    none("writes that failed, and wrong answers to them", failures(phases)),
  ];
}

function most(samples: number[]): number {
  return Math.max(...samples);
}

function count(listings: Listing[], order: Order): number {
  return listings.filter((listing) => listing.order === order).length;
}

function growth(listing: Listing): number {
  const [first = Number.NaN, ...others] = pagesByPart(listing.pagesMs);
  return Math.max(...others) / first;
}

function failures(phases: Phase[]): number {
  return phases.reduce((all, { writeErrors, violations }) => all + sum(writeErrors) + violations, 0);
}

function withoutPages({ listings, memoryMb, ...phase }: Phase) {
  return {
    ...{ ...phase, memoryMb: { first: memoryMb[0], most: most(memoryMb) } },
    listings: listings.map(({ pagesMs, ...listing }) => ({
      ...{ ...listing, pages: pagesMs.length, p50Ms: median(pagesMs), slowestMs: Math.max(...pagesMs) },
      byPartMs: pagesByPart(pagesMs),
    })),
  };
}

function listingTable(phases: Phase[]): string {
  const rows = phases.flatMap(({ name, listings, writesPerSecond }) =>
    listings.map(({ order, begunMs, endedMs, pagesMs, entries, missing, doubled }) => {
      const seconds = (endedMs - begunMs) / 1000;
      const figures = [entries, seconds, pagesMs.length, median(pagesMs), Math.max(...pagesMs), writesPerSecond];
      return [`${name}, by ${order}`, ...figures.map(figure), String(missing), String(doubled)];
    }),
  );
  const head = ["Listing", "keys", "seconds", "pages", "p50 ms", "slowest ms", "writes/s", "missing", "twice"];
  return table(head, rows);
}

function partTable(listings: Listing[]): string {
  const rows = listings.map((listing) => [`by ${listing.order}`, ...pagesByPart(listing.pagesMs).map(figure)]);
  return table(["Tenth", ...Array.from({ length: PARTS }, (_, i) => String(i + 1))], rows);
}

function memoryTable(phases: Phase[]): string {
  return table(
    ["Phase", "MB at its beginning", "MB at most"],
    phases.map(({ name, memoryMb }) => [name, figure(memoryMb[0]), figure(most(memoryMb))]),
  );
}
