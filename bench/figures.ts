// The tables that documents show of the benchmarks' results. A document has a place for each:
//
//     <!-- table: NAME -->
//     (what `npm run figures` puts here)
//     <!-- /table -->
//
// NAME is one of TABLES below. `npm test` fails where a document shows another table than the results hold.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { figure, table } from "./report.ts";
import { GROUPS } from "./simulation/loads.ts";

const RESULTS = join(import.meta.dirname, "results");
const PLACE = /(<!-- table: ([\w-]+) -->\n).*?(<!-- \/table -->)/gs;

/** How a row is found: by the beginning of its first cell, and, where several begin alike, by its second cell. */
type RowName = string | [first: string, second: string];

interface Excerpt {
  /** The result. */
  of: string;
  /** Of the section in which the table is the first; else it is the file's first. */
  under?: string;
  /** By their headings in the results; "NAME as OTHER" shows another one. */
  columns: string[];
  /** All of them, unless given. */
  rows?: RowName[];
}

interface Use {
  perSecond: number;
  cores: Record<string, number>;
}

/** Groups of processes that a call passes through. */
const LAYERS = ["server", "vtgates", "vttablets", "mysqlds"];

/** By the name at a document's place for it. */
const TABLES: Record<string, Excerpt | (() => string)> = {
  throughput: {
    of: "compare",
    columns: ["System", "GET/s", "GET p99 ms as p99 ms", "PUT/s", "PUT p99 ms as p99 ms"],
    rows: ["vitess-kv", "vitess-kv, KV_COALESCE=false", "sysbench", "etcd", "webdis"],
  },
  "cost-of-a-call": costOfACall,
  calls: {
    of: "calls",
    columns: ["Call", "calls/s", "p99 ms", "÷ PUT or GET as ÷ GET or PUT"],
    rows: ["get", "put", "create-new", "if-match", "keep-ttl", "put-ttl", "hot key: all", "hot key: limiter"],
  },
  overload: {
    of: "overload",
    columns: ["Load", "offered/s", "accepted/s", "p99 ms", "server's memory, most MB as memory, MB"],
    rows: ["the most it can do", "3 times that", "after"],
  },
  locks: {
    of: "locks",
    columns: ["Call", "locks on rows as rows", "on entries of the index of expiries as index entries"],
    rows: ["GET of one", "PUT that replaces", "PUTs of three keys", "DELETE", "sweep: look", "sweep: delete three"],
  },
  "one-key": { of: "scale", columns: ["Load", "GET/s", "GET p99 ms as p99 ms", "PUT/s", "PUT p99 ms as p99 ms"] },
  expiry: {
    of: "expiry",
    under: "Bars",
    columns: ["Bar as Beside other calls", "measured"],
    rows: [
      "answers that showed",
      "rows reclaimed/s a shard",
      "reads, p99",
      "writes, p99",
      "steady: seconds from",
      "InnoDB deadlocks",
    ],
  },
  faults: {
    of: "robustness",
    columns: ["Fault", "errors", "longest time without a write, ms as longest without a write, ms"],
    rows: [
      "planned reparent",
      "kill -9 of a primary, mysqld",
      "a primary that is stopped",
      "kill -9 of a vtgate",
      "kill -9 of etcd",
      "a primary whose disk is full",
      "kill -9 of everything",
      "resharding to twice",
    ],
  },
  reshard: {
    of: "reshard",
    columns: ["Shards", "seconds in all as seconds", "MB/s of all shards as MB/s"],
  },
  million: {
    of: "capacity",
    under: "What a million concurrent calls can mean",
    columns: [
      "A million …",
      "calls/s",
      "in flight, target's latency as in flight at 50 ms",
      "servers",
      "cores",
      "dollars a month",
    ],
  },
  capacity: {
    of: "capacity",
    columns: [" as At the target", "value (range)"],
    rows: [
      "disk, all tablets",
      "shards by storage",
      "shards by calls",
      "calls/s a shard",
      "rows of a reading",
      "tablets",
      "**cores**",
      "**memory**",
      "copying one shard",
    ],
  },
  decisions: {
    of: "capacity",
    under: "What each decision costs, against its alternative",
    columns: ["Chosen", "instead", "dollars a month more (range) as dollars a month more", "but"],
    rows: ["values packed", "tables rebuilt", "3 tablets a shard", "shards of 250 GB", "a slice of servers"],
  },
  alternatives: {
    of: "capacity",
    under: "The same load elsewhere",
    columns: ["System", "dollars a month"],
    rows: ["**this store**", "DynamoDB, on demand", "DynamoDB, provisioned", "ScyllaDB"],
  },
  chokepoints: {
    of: "capacity",
    under: "Chokepoints",
    columns: ["Chokepoint", "begins at", "this target", "then"],
    rows: ["a server's one thread", "coalescing", "the record of all shards", "one key", "the cores of a shard"],
  },
  validation,
  simulation: {
    of: "simulation",
    under: "1,000,000 calls in flight",
    columns: ["Scenario", " as when", "calls/s", "p50 ms", "p99 ms", "failed"],
    rows: [
      "all 1,000,000 at once",
      ["one shard of", "meanwhile"],
      ["one key has 1%", "meanwhile"],
      ["one zone of three", "the 6 s after"],
      ["one zone of three", "with two zones"],
    ],
  },
};

/** The documents that show any. */
export const SHOWN_IN = ["README.md", "DESIGN.md", "bench/README.md"];

export const TABLE_NAMES = Object.keys(TABLES);

/** The names of the tables that a document has places for. */
export function tablesIn(document: string): string[] {
  return [...document.matchAll(PLACE)].map(([, , name = ""]) => name);
}

/** The document with every table as the results have it. Throws an Error for what the results do not hold. */
export function refreshed(document: string): string {
  return document.replace(PLACE, (_, begin: string, name: string, end: string) => {
    const made = TABLES[name];
    if (!made) throw new Error(`There is no table ${name} in bench/figures.ts.`);
    return `${begin}\n${typeof made === "function" ? made() : excerpt(made)}\n\n${end}`;
  });
}

function costOfACall(): string {
  const { measured } = json("compare") as { measured: (Use & Record<string, unknown>)[] };
  const row = (operation: string, system: string, label: string) => {
    const found = measured.find((each) => each.operation === operation && each.system === system);
    if (!found) throw new Error(`compare.json holds no ${operation} of ${system}.`);
    const micros = LAYERS.map((layer) => ((found.cores[layer] ?? Number.NaN) / found.perSecond) * 1e6);
    return [label, ...[...micros, micros.reduce((sum, each) => sum + each, 0)].map(figure)];
  };
  return table(
    ["CPU of a call, µs", ...LAYERS, "all"],
    (["get", "put"] as const).flatMap((operation) => [
      row(operation, "vitess-kv", operation.toUpperCase()),
      row(operation, "vitess-kv, KV_COALESCE=false", `${operation.toUpperCase()}, a statement for each call`),
    ]),
  );
}

function validation(): string {
  type Errors = Record<"perSecond" | "p50Ms", number>;
  const { validated } = json("validate") as { validated: { group: string; errors: Errors }[] };
  const percent = (share: number) => `${Math.round(share * 100)}%`;
  const cells = (errors: number[]) => {
    const sizes = errors.map(Math.abs);
    return [percent(sizes.reduce((sum, each) => sum + each, 0) / sizes.length), percent(Math.max(...sizes))];
  };
  const groups = Object.entries(Object.groupBy(validated, ({ group }) => group));
  return table(
    ["Loads", "calls/s off by", "at most", "median off by", "at most"],
    groups.map(([group, loads = []]) => [
      `${loads.length}: ${GROUPS[group as keyof typeof GROUPS]}`,
      ...cells(loads.map(({ errors }) => errors.perSecond)),
      ...cells(loads.map(({ errors }) => errors.p50Ms)),
    ]),
  );
}

function excerpt({ of: name, under, columns, rows }: Excerpt): string {
  const [head = [], , ...body] = firstTable(name, under);
  const headings = columns.map((column) => column.split(" as "));
  const places = headings.map(([heading = ""]) => {
    const place = head.indexOf(heading);
    if (place === -1) throw new Error(`${name}.md has no column "${heading}"${under ? ` under "${under}"` : ""}.`);
    return place;
  });
  const shown = rows?.map((row) => findRow(name, body, row)) ?? body;
  return table(
    headings.map((names) => names.at(-1) ?? ""),
    shown.map((cells) => places.map((place) => cells[place] ?? "")),
  );
}

function findRow(name: string, body: string[][], row: RowName): string[] {
  const [first, second] = typeof row === "string" ? [row] : row;
  // Exactly that, if there is such a row: "PUT" is not "PUT ttl".
  const candidates = body.filter((cells) => second === undefined || cells[1] === second);
  const found =
    candidates.find((cells) => cells[0] === first) ?? candidates.find((cells) => cells[0]?.startsWith(first as string));
  if (!found) throw new Error(`${name}.md has no row "${first}"${second ? `, "${second}"` : ""}.`);
  return found;
}

/** The cells of the first table of a result, or of its section whose heading begins like that. */
function firstTable(name: string, under?: string): string[][] {
  const lines = readFileSync(join(RESULTS, `${name}.md`), "utf8").split("\n");
  const start = under === undefined ? 0 : lines.findIndex((line) => line.startsWith(`## ${under}`));
  const first = start === -1 ? -1 : lines.findIndex((line, i) => i >= start && line.startsWith("|"));
  if (first === -1) throw new Error(`${name}.md has no table${under ? ` under "${under}"` : ""}.`);
  const end = lines.findIndex((line, i) => i > first && !line.startsWith("|"));
  return lines.slice(first, end).map((line) =>
    line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim()),
  );
}

function json(name: string): unknown {
  return JSON.parse(readFileSync(join(RESULTS, `${name}.json`), "utf8"));
}
