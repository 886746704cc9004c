// Growing and shrinking, as an operator does it, and what can happen meanwhile.

import type { Fault, Rig } from "../rig.ts";

const AFTERMATH_MS = 3_000;

/** There is room for so many MySQL servers, or the command says why not. */
const resharding = (name: string, title: string, work: (rig: Rig) => Promise<void>, fails = false): Fault => ({
  name,
  title,
  scope: "cluster",
  ...(!fails && { expect: { noFailedCalls: true } }),
  run: async (rig, signal) => {
    await work(rig);
    await rig.pause(AFTERMATH_MS, signal);
  },
});

export const SPLIT = resharding("split", "resharding to twice as many shards", (rig) => reshard(rig, (now) => 2 * now));
export const MERGE = resharding("merge", "resharding to half as many shards", (rig) => reshard(rig, (now) => now / 2));

export const SPLIT_FAILOVER = resharding(
  "split-failover",
  "kill -9 of a source's primary while its rows are copied to twice as many shards",
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
  true,
);

async function reshard(rig: Rig, to: (now: number) => number) {
  const { shards } = await rig.status();
  await rig.cluster("reshard", String(to(shards.length)));
}
