// Growing and shrinking, as an operator does it, and what can happen meanwhile.

import { readFileSync, writeFileSync } from "node:fs";
import { requireMemory } from "../../../vitess/run/room.ts";
import type { Fault, Rig } from "../rig.ts";

const AFTERMATH_MS = 3_000;

/** Of the whole machine: enough for four shards and two, with three MySQL servers each. */
const AIO_REQUESTS = 2 ** 18;
const AIO_LIMIT = "/proc/sys/fs/aio-max-nr";

/** What keeps the machine from running tablets for twice as many shards beside those that there are. */
async function noRoom(rig: Rig): Promise<string | undefined> {
  const { tablets } = await rig.status();
  // Where this is not allowed, and needed, the command says so itself.
  const isLow = Number(readFileSync(AIO_LIMIT, "utf8")) < AIO_REQUESTS;
  if (isLow && process.getuid?.() === 0) writeFileSync(AIO_LIMIT, String(AIO_REQUESTS));
  try {
    requireMemory(2 * tablets.length);
  } catch (error) {
    return (error as Error).message;
  }
}

async function nothingToMerge(rig: Rig): Promise<string | undefined> {
  const { shards } = await rig.status();
  return shards.length === rig.shards ? "the shards have not been split" : undefined;
}

const resharding = (
  fault: Pick<Fault, "name" | "title" | "expect" | "impossible" | "lacks">,
  work: (rig: Rig) => Promise<void>,
): Fault => ({
  ...fault,
  scope: "cluster",
  run: async (rig, signal) => {
    await work(rig);
    await rig.pause(AFTERMATH_MS, signal);
  },
});

export const SPLIT = resharding(
  {
    name: "split",
    title: "resharding to twice as many shards",
    expect: { noFailedCalls: true },
    lacks: noRoom,
  },
  (rig) => reshard(rig, (now) => 2 * now),
);

export const MERGE = resharding(
  {
    name: "merge",
    title: "resharding to half as many shards",
    expect: { noFailedCalls: true },
    impossible: nothingToMerge,
  },
  (rig) => reshard(rig, (now) => now / 2),
);

export const SPLIT_FAILOVER = resharding(
  {
    name: "split-failover",
    title: "kill -9 of a source's primary while its rows are copied to twice as many shards",
    lacks: noRoom,
  },
  async (rig) => {
    const { shards } = await rig.status();
    const count = String(2 * shards.length);
    const first = rig.launch("reshard", count);
    let ended = false;
    first.exited.then(() => {
      ended = true;
    });
    await rig.until(async () => ended || first.output().includes("copy to the new shards"), "rows are copied");
    const { pids } = await rig.primaryOf(rig.shard);
    for (const pid of Object.values(pids)) rig.kill(pid);
    if ((await first.exited).code === 0) return;
    // As README says: what has stopped is started, and the same command goes on.
    await rig.cluster("up");
    await rig.cluster("reshard", count);
  },
);

async function reshard(rig: Rig, to: (now: number) => number) {
  const { shards } = await rig.status();
  await rig.cluster("reshard", String(to(shards.length)));
}
