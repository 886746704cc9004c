// A zone that is cut off. It has a tablet of each shard, one of them the primary of the shard that this is about, and a
// vtgate, a server and clients of its own.

import { cutImpossible } from "../network.ts";
import type { Fault } from "../rig.ts";
import { allIn, type Parted, type Sides, sidesOf, tabletsIn, whileParted } from "../sides.ts";

const FAILOVER_MS = 15_000;
/** For both sides to be asked for the same keys, once one of them has another primary. */
const BOTH_MS = 12_000;
/** For the old primary to learn what has happened. */
const AFTERMATH_MS = 5_000;

const parting = (name: string, title: string, part: (sides: Sides) => Parted[], zoned: boolean): Fault => ({
  name,
  title,
  scope: "cluster",
  zoned,
  readers: true,
  expect: { writesResumeWithinMs: FAILOVER_MS },
  impossible: cutImpossible,
  run: async (rig, signal) => {
    const sides = await sidesOf(rig);
    await whileParted(rig, part(sides), async () => {
      await rig.anotherElected(rig.shard, sides.primary.alias, FAILOVER_MS);
      await rig.pause(BOTH_MS, signal);
    });
    await rig.pause(AFTERMATH_MS, signal);
  },
});

export const ZONE = parting(
  "zone",
  "a primary's zone, with a vtgate, a server and clients, cut off from everything else",
  ({ near, far, control }) => [[allIn(near), [...allIn(far), ...control]]],
  true,
);

export const ZONE_CONTROL = parting(
  "zone-control",
  "the same zone cut off from the others, but not from etcd, vtctld and vtorc",
  ({ near, far }) => [[allIn(near), allIn(far)]],
  true,
);

export const ZONE_REPLICATION = parting(
  "zone-replication",
  "no replication between a primary's zone and the others, whose vtgates don't reach its tablets",
  ({ near, far }) => [
    [near.mysqlds, far.mysqlds],
    [far.vtgates, near.vttablets],
  ],
  true,
);

/** Servers ask both vtgates in turn, and so both primaries. */
export const ZONE_VTGATE = parting(
  "zone-vtgate",
  "a primary's zone cut off from everything else but the servers, which ask the vtgates of both sides",
  ({ near, far, control }) => [
    [
      [...tabletsIn(near), ...near.vtgates],
      [...tabletsIn(far), ...far.vtgates, ...control],
    ],
  ],
  false,
);
