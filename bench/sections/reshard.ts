// How fast rows are copied when shards are split and merged.

import { setTimeout as sleep } from "node:timers/promises";
import { entryKey } from "../../src/store/store.ts";
import { findParts } from "../../vitess/install/parts.ts";
import { reshard as reshardTo } from "../../vitess/operate/reshard.ts";
import { Workflow } from "../../vitess/operate/workflow.ts";
import { Cluster } from "../../vitess/run/folder.ts";
import { vtctl } from "../../vitess/run/vtctl.ts";
import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { sizeOf } from "../disk.ts";
import { fillRows } from "../fill.ts";
import { type Findings, figure, table } from "../report.ts";
import type { Rig } from "../rig.ts";

interface Resharding {
  from: number;
  to: number;
  seconds: number;
  /** Of these, from the beginning of the copy until the last stream had all rows. */
  copySeconds: number;
  /** Of all shards together, as they are on one disk. */
  mbPerSecond: number;
}

const VALUE_BYTES = 1_000;
const ROWS = 400_000;
const POLL_MS = 250;

export async function reshard(rig: Rig): Promise<Findings> {
  const { dataDir } = await rig.clusterOf(2);
  await rig.makeTable();
  await fillRows(rig, {
    rows: ROWS,
    keyOf: (row) => entryKey("reshard", String(row)),
    expiry: "never",
    value: Buffer.alloc(VALUE_BYTES, "v"),
  });
  const { rowBytes, indexBytes } = await sizeOf(await rig.cluster(), ROWS);
  const megabytes = (ROWS * (rowBytes + indexBytes)) / 1e6;
  const found: Resharding[] = [];
  for (const [from, to] of [
    [2, 4],
    [4, 2],
  ] as const) {
    const begun = performance.now();
    const [copySeconds] = await Promise.all([secondsOfCopy(dataDir, rig.signal), reshardTo(dataDir, to, rig.signal)]);
    const seconds = (performance.now() - begun) / 1000;
    found.push({ from, to, seconds, copySeconds, mbPerSecond: megabytes / copySeconds });
  }
  return {
    versions: { vitess: VITESS_VERSION },
    method: `${figure(ROWS)} rows with values of ${figure(VALUE_BYTES)} bytes, ${figure(megabytes)} MB in one copy of all shards, three tablets each, old and new ones side by side; nobody calls.`,
    data: {
      rows: ROWS,
      megabytes,
      reshardings: found,
      // Named as the input of the capacity model that it replaces.
      inputs: { copyMbps: { values: found.map(({ mbPerSecond }) => mbPerSecond) } },
    },
    markdown: table(
      ["Shards", "seconds in all", "of copying", "MB/s of all shards"],
      found.map(({ from, to, seconds, copySeconds, mbPerSecond }) => [
        `${from} to ${to}`,
        ...[seconds, copySeconds, mbPerSecond].map(figure),
      ]),
    ),
  };
}

/** Watches a resharding that is about to begin. */
async function secondsOfCopy(dataDir: string, signal: AbortSignal): Promise<number> {
  const workflow = new Workflow(vtctl(Cluster.load(dataDir), await findParts(signal)));
  for (let begun = 0; ; await sleep(POLL_MS, undefined, { signal })) {
    if (!(await workflow.exists(signal).catch(() => false))) continue;
    begun ||= performance.now();
    const { streams, copying } = await workflow.progress(signal);
    if (streams > 0 && copying === 0) return (performance.now() - begun) / 1000;
  }
}
