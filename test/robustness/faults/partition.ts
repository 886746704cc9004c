// A network that parts a shard's primary from others which go on: from its replicas alone, or from all but the vtgates.

import { cutImpossible } from "../network.ts";
import type { Fault } from "../rig.ts";
import { type Parted, type Sides, sidesOf, tabletsIn, whileParted } from "../sides.ts";

/** A failover takes 6 to 9 s where nobody refuses a connection; the old primary goes on for as long again. */
const PARTED_MS = 18_000;
const RESUME_WITHIN_MS = 15_000;
/** For the old primary to learn what has happened. */
const AFTERMATH_MS = 8_000;

const parting = (name: string, title: string, part: (sides: Sides) => Parted): Fault => ({
  name,
  title,
  scope: "shard",
  readers: true,
  expect: { writesResumeWithinMs: RESUME_WITHIN_MS },
  impossible: cutImpossible,
  run: async (rig, signal) => {
    await whileParted(rig, [part(await sidesOf(rig))], () => rig.pause(PARTED_MS, signal));
    await rig.pause(AFTERMATH_MS, signal);
  },
});

/** All tablets but the primary, and those that decide which one that is. */
const others = ({ primary, near, far, control }: Sides) =>
  [...tabletsIn(near), ...tabletsIn(far), ...control].filter(
    (name) => name !== primary.mysqld && name !== primary.vttablet,
  );

export const PART_REPLICAS = parting(
  "part-replicas",
  "a primary's mysqld cut off from its replicas, reached by all others",
  ({ primary, replicas }) => [[primary.mysqld], replicas.mysqlds],
);

export const PART_PRIMARY = parting("part-primary", "a primary cut off from everything but the vtgates", (sides) => [
  [sides.primary.mysqld, sides.primary.vttablet],
  others(sides),
]);

export const PART_VTGATE = parting("part-vtgate", "a primary and a vtgate cut off from everything else", (sides) => [
  [sides.primary.mysqld, sides.primary.vttablet, ...sides.near.vtgates],
  [...others(sides), ...sides.far.vtgates],
]);
