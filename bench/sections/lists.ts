// Lists of very many keys while others write, and while shards are split: whether every key that stays is in them once,
// whether a page costs the same wherever it is, and whether the server's memory grows.

import { setTimeout as sleep } from "node:timers/promises";
import { entryKey } from "../../src/store/store.ts";
import { reshard } from "../../vitess/operate/reshard.ts";
import { clusterStatus } from "../../vitess/run/cluster.ts";
import { step } from "../../vitess/support/progress.ts";
import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { atLeast, atMost, type Bar, barTable, none } from "../bars.ts";
import { memoryMb } from "../cpu.ts";
import { fillRows } from "../fill.ts";
import { type Listing, listAll, ORDERS, type Order, PAGE, pagesByPart } from "../listing.ts";
import type { LoadResult } from "../load/run.ts";
import { runLoad } from "../load/run.ts";
import { sum } from "../load/tally.ts";
import { KEY_DIGITS } from "../load/value.ts";
import { type Findings, figure, median, packageVersion, table } from "../report.ts";
import type { Rig } from "../rig.ts";
import { VALUE_BYTES } from "../system.ts";

const KEYS = 1_000_000;
const NAMESPACE = "lists";
/** PUTs and DELETEs a second, of keys that come and go. */
const RATE = 2_000;
const WRITERS = 64;
/** So many keys that stay lie behind each that comes and goes. */
const GROUP = 100;
const SHARDS = { before: 2, after: 4 };
/** Between pages while rows are copied, so that both go on. */
const PAUSE_MS = 20;
const SAMPLE_MS = 500;
/** Longer than any phase takes: its load is ended with it. */
const ENDLESS_SECONDS = 3_600;

interface Phase {
  name: string;
  listings: Listing[];
  writesPerSecond: number;
  writeErrors: Record<string, number>;
  violations: number;
  /** The server's at the beginning and the most. */
  memoryMb: { first: number; most: number };
}

/** With so many keys that stay. */
export async function lists(rig: Rig, keys = KEYS): Promise<Findings> {
  const { dataDir } = await rig.clusterOf(SHARDS.before);
  const { url, pid } = await rig.startServer();
  const keyOf = (row: number) => entryKey(NAMESPACE, nameOf(row));
  await fillRows(rig, { rows: keys, keyOf, expiry: "never" });
  const list = (order: Order, pauseMs = 0, title = `list by ${order}`) =>
    step(title, (report) =>
      listAll({
        ...{ url: `${url}/v1/kv/${NAMESPACE}`, order, staying: keys, numberOf, pauseMs, signal: rig.signal },
        report: (entries) => report(figure(entries)),
      }),
    );
  const phase = (name: string, work: () => Promise<Listing[]>) => whileWriting(rig, { name, url, pid, keys }, work);

  const { seconds, warmupSeconds } = rig.options;
  const alone = await phase("writes alone", async () => {
    await sleep(1000 * (seconds + warmupSeconds), undefined, { signal: rig.signal });
    return [];
  });
  const during = await phase("lists while writing", async () => [await list("key"), await list("any")]);
  let splitMs = Number.NaN;
  const splitting = await phase(`lists while shards are split, ${SHARDS.before} to ${SHARDS.after}`, async () => {
    const work = reshard(dataDir, SHARDS.after, rig.signal);
    let isOver = false;
    const noticed = noticeSplit(rig, dataDir).then((ms) => {
      splitMs = ms;
    });
    const always = async (order: Order) => {
      const found: Listing[] = [];
      while (!isOver) found.push(await list(order, PAUSE_MS, `list by ${order} while splitting, ${found.length + 1}`));
      return found;
    };
    const listings = Promise.all(ORDERS.map(always));
    await Promise.all([work, noticed]).finally(() => {
      isOver = true;
    });
    return (await listings).flat();
  });
  const phases = [alone, during, splitting];
  const through = splitting.listings.filter(({ begunMs, endedMs }) => begunMs < splitMs && splitMs < endedMs);
  const bars = judge(phases, through);
  return {
    versions: { vitess: VITESS_VERSION, mysql2: packageVersion("mysql2") },
    method: `${figure(keys)} keys that stay, with values of ${VALUE_BYTES} bytes, listed without values in pages of ${figure(PAGE)} by one client, one page after the other; beside it the load simulator makes ${figure(RATE)} PUTs and DELETEs/s of other keys, one among every ${GROUP} that stay, every answer checked. While shards are split, both orders are listed again and again, with ${PAUSE_MS} ms between pages.`,
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

/** When there are more shards than before, as performance.now() counts. */
async function noticeSplit({ signal }: Rig, dataDir: string): Promise<number> {
  for (;;) {
    if ((await clusterStatus(dataDir)).shards.length === SHARDS.after) return performance.now();
    await sleep(SAMPLE_MS, undefined, { signal });
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
      memoryMb: { first: memory[0] as number, most: Math.max(...memory) },
    };
  });
}

function judge(phases: Phase[], through: Listing[]): Bar[] {
  const [alone, during] = phases as [Phase, Phase];
  const listings = phases.flatMap((phase) => phase.listings);
  const total = (count: (listing: Listing) => number) => listings.reduce((all, listing) => all + count(listing), 0);
  const most = Math.max(...phases.map(({ memoryMb }) => memoryMb.most));
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
    atMost("the server's memory at most, against the most without lists", 1.5, most / alone.memoryMb.most),
    none(
      "pages that failed",
      total(({ errors }) => errors),
    ),
    none("writes that failed, and wrong answers to them", failures(phases)),
  ];
}

function count(listings: Listing[], order: Order): number {
  return listings.filter((listing) => listing.order === order).length;
}

function growth(listing: Listing): number {
  const [first = Number.NaN, ...others] = pagesByPart(listing);
  return Math.max(...others) / first;
}

function failures(phases: Phase[]): number {
  return phases.reduce((all, { writeErrors, violations }) => all + sum(writeErrors) + violations, 0);
}

function withoutPages({ listings, ...phase }: Phase) {
  return {
    ...phase,
    listings: listings.map(({ pagesMs, ...listing }) => ({
      ...{ ...listing, pages: pagesMs.length, p50Ms: median(pagesMs), slowestMs: Math.max(...pagesMs) },
      byPartMs: pagesByPart({ ...listing, pagesMs }),
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
  const rows = listings.map((listing) => [`by ${listing.order}`, ...pagesByPart(listing).map(figure)]);
  const parts = Math.max(...rows.map(({ length }) => length - 1));
  return table(["Tenth", ...Array.from({ length: parts }, (_, i) => String(i + 1))], rows);
}

function memoryTable(phases: Phase[]): string {
  return table(
    ["Phase", "MB at its beginning", "MB at most"],
    phases.map(({ name, memoryMb }) => [name, figure(memoryMb.first), figure(memoryMb.most)]),
  );
}
