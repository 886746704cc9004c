// What it costs calls that the whole table is written anew beside them, and what is gained.

import { entryKey } from "../../src/store/store.ts";
import { rebuild } from "../../vitess/operate/rebuild.ts";
import { step } from "../../vitess/support/progress.ts";
import { sizeOf, truncate } from "../disk.ts";
import { fillKeys, fillRows } from "../fill.ts";
import type { Load } from "../generators.ts";
import { scattered } from "../random.ts";
import { median } from "../report.ts";
import type { Rig } from "../rig.ts";
import { storeSystem } from "../store.ts";
import { OPERATIONS, type Operation } from "../system.ts";
import { random } from "./documents.ts";

const ROWS = 1_000_000;
const CONNECTIONS = 64;
const WINDOW_SECONDS = 4;

export interface Serving {
  rows: number;
  connections: number;
  /** Bytes of a row. */
  rowBytes: { before: number; after: number };
  seconds: number;
  /** Medians of the windows before it and during it. */
  calls: Record<Operation, Record<"before" | "during", { perSecond: number; p99Ms: number }>>;
}

export async function rebuildWhileServing(rig: Rig, valueBytes: number): Promise<Serving> {
  const cluster = await rig.cluster();
  const server = await rig.startServer();
  await fillRows(rig, {
    ...{ rows: ROWS, expiry: "never", value: (row) => random(row, valueBytes) },
    keyOf: (row) => entryKey("bench", scattered(row)),
  });
  await fillKeys(rig);
  const system = await storeSystem(rig, server, "rebuild", CONNECTIONS);
  const windows = { get: [] as Load[], put: [] as Load[] };
  const both = async () => {
    for (const operation of OPERATIONS) windows[operation].push((await system[operation]?.(WINDOW_SECONDS)) as Load);
  };
  const taken = () => {
    const found = (operation: Operation) => {
      const loads = windows[operation].splice(0);
      const failed = loads.flatMap(({ statuses, failures }) => Object.entries({ ...failures, ...statuses }));
      const wrong = failed.filter(([what]) => !["200", "204"].includes(what));
      if (wrong.length > 0) throw new Error(`${operation} beside a rebuild: ${JSON.stringify(wrong)}`);
      return {
        perSecond: median(loads.map(({ perSecond }) => perSecond)),
        p99Ms: median(loads.map(({ p99Ms }) => p99Ms)),
      };
    };
    return { get: found("get"), put: found("put") };
  };
  const before = await sizeOf(cluster, ROWS);
  await step("calls before it", async () => {
    await both();
    taken();
    for (let i = 0; i < 2; i++) await both();
  });
  const callsBefore = taken();
  const begun = performance.now();
  let seconds = 0;
  const work = rebuild(cluster.dataDir, undefined, rig.signal).finally(() => {
    seconds = (performance.now() - begun) / 1_000;
  });
  while (seconds === 0) await both();
  await work;
  const during = taken();
  const after = await sizeOf(cluster, ROWS);
  await rig.stopServers();
  await truncate(cluster);
  const of = (operation: Operation) => ({ before: callsBefore[operation], during: during[operation] });
  return {
    ...{ rows: ROWS, connections: CONNECTIONS, seconds },
    rowBytes: { before: before.rowBytes, after: after.rowBytes },
    calls: { get: of("get"), put: of("put") },
  };
}
