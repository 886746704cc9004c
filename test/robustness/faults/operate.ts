// What an operator does to a cluster in use, again and again: every command has to succeed, and no call may fail.

import { litter } from "../collector.ts";
import type { Fault, Rig } from "../rig.ts";
import { MERGE, SPLIT } from "./reshard.ts";
import { REPARENT } from "./tablets.ts";

const operation = (name: string, title: string, run: (rig: Rig) => Promise<unknown>): Fault => ({
  name,
  title,
  scope: "cluster",
  expect: { noFailedCalls: true },
  run: async (rig) => {
    await run(rig);
  },
});

const BACKUP = operation("backup", "backup", (rig) => rig.cluster("backup", "--keep", "1"));

const ADD_TABLET = operation("add-tablet", "a replica more", (rig) => rig.cluster("add-tablet", rig.shard));

const REMOVE_TABLET = operation("remove-tablet", "a replica less", async (rig) => {
  const [{ alias } = { alias: "" }] = await rig.replicasOf(rig.shard);
  await rig.cluster("remove-tablet", alias);
});

/**
 * Each so often in a row, reshardings in both directions; where it is `littered`, Vitess's collector has something to do
 * before each and while it lasts.
 */
export function operations(count: number, littered: boolean): Fault[] {
  const rows = [[REPARENT], [BACKUP], [ADD_TABLET, REMOVE_TABLET], [SPLIT, MERGE]];
  const times = (row: Fault[]) => (row.includes(SPLIT) ? Math.ceil(count / 2) : count);
  const all = rows.flatMap((row) => Array.from({ length: times(row) }, () => row).flat());
  return littered ? all.map(afterLitter) : all;
}

function afterLitter(fault: Fault): Fault {
  return {
    ...fault,
    run: async (rig, signal) => {
      await litter(await rig.status());
      await fault.run(rig, signal);
    },
  };
}
