// The words for what things cost: statements by their layers and rows, calls by what a server does for them besides.

import { z } from "zod";
import { CALL_NAMES } from "./calls.ts";

/** As `src/database/statements.ts` names them, all that calls are made of. */
export const READING = ["get", "head", "scan", "find", "find_contents"] as const;
/** `put` comes before `delete`, which is measured together with one that makes its rows again. */
const WRITING = ["put", "create", "delete", "replace", "touch"] as const;
export const STATEMENTS = [...READING, ...WRITING];
export type StatementName = (typeof STATEMENTS)[number];

/** The server's thread, vtgate, all vttablets and all mysqlds. */
export const LAYERS = ["client", "gate", "tablet", "mysql"] as const;
export type Layer = (typeof LAYERS)[number];

const layers = z.record(z.enum(LAYERS), z.number());
/** Microseconds of a core. */
export type Layers = z.infer<typeof layers>;

/** Of a statement by how many rows it has: each further one costs less. */
const curve = z.record(z.string(), z.number());
type Curve = z.infer<typeof curve>;

/** Of the only caller: how long a call takes, and what the cluster uses for it. */
const alone = z.object({ ms: z.number(), clusterMicros: z.number() });

/** Connections with which calls are measured, and those which tell what more of them change. */
export const FEW = 1_000;
export const MANY = 10_000;

/** Of a value that tells what its bytes cost. */
export const LARGE_BYTES = 4_000;

/** All that is measured of CPU, in microseconds of a core, without what the cluster uses when nobody calls. */
export const measuredCosts = z.object({
  statements: z.record(z.enum(STATEMENTS), z.record(z.enum(LAYERS), curve)),
  /** Of the server's thread, besides statements, with `FEW` connections. */
  calls: z.record(z.enum(CALL_NAMES), z.number()),
  /** By what share that is more with ten times the connections, each of which has its place in memory. */
  crowding: z.object({ read: z.number(), write: z.number() }),
  /**
   * For each kB of a value: of a call, which the server's thread answers and oha reads; and of a row of a statement, by its
   * layers.
   */
  perKb: z.object({ server: z.number(), generator: z.number(), read: layers, write: layers }),
  /** A GET, and a PUT. */
  alone: z.object({ read: alone, write: alone }),
  /** Of the cluster, when nobody calls. */
  idleCores: z.number(),
});
export type MeasuredCosts = z.infer<typeof measuredCosts>;

/** Of numbers in objects that are alike, each the mean of all. */
export function meanOf<T>(all: T[]): T {
  const [first] = all;
  if (typeof first === "number") return (all.reduce((sum, each) => sum + Number(each), 0) / all.length) as T;
  const names = Object.keys(first as object) as (keyof T)[];
  return Object.fromEntries(names.map((name) => [name, meanOf(all.map((each) => each[name]))])) as T;
}

/** From the fewest rows to the most. */
export function pointsOf(curve: Curve): [rows: number, micros: number][] {
  return Object.entries(curve).map(([rows, micros]) => [Number(rows), micros]);
}

/** The line that is nearest to a curve, as a share of it: what a statement takes, and each of its rows. */
export function lineOf(curve: Curve): { statement: number; row: number } {
  const sums = { w: 0, x: 0, y: 0, xx: 0, xy: 0 };
  for (const [x, y] of pointsOf(curve)) {
    // Less than a microsecond is not told from nothing.
    const w = 1 / Math.max(y, 1) ** 2;
    sums.w += w;
    sums.x += w * x;
    sums.y += w * y;
    sums.xx += w * x * x;
    sums.xy += w * x * y;
  }
  const row = (sums.w * sums.xy - sums.x * sums.y) / (sums.w * sums.xx - sums.x ** 2);
  const statement = (sums.y - row * sums.x) / sums.w;
  return statement > 0 ? { statement, row: Math.max(0, row) } : { statement: 0, row: sums.xy / sums.xx };
}
