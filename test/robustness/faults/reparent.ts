// Another primary, in good order.

import type { Fault } from "../rig.ts";

export const REPARENT: Fault = {
  name: "reparent",
  title: "planned reparent",
  scope: "shard",
  expect: { noFailedCalls: true },
  run: async (rig) => {
    await rig.cluster("reparent", rig.shard);
  },
};
