// A network that parts a shard's primary from others which go on: from its replicas alone, or from all but the vtgates.

import { Cluster } from "../../../vitess/run/folder.ts";
import type { Topology } from "../../../vitess/topology/topology.ts";
import { cut, cutImpossible, type Peer } from "../network.ts";
import type { Fault, Rig } from "../rig.ts";

/** A failover takes 6 to 9 s where nobody refuses a connection; the old primary goes on for as long again. */
const PARTED_MS = 18_000;
const RESUME_WITHIN_MS = 15_000;
/** For the old primary to learn what has happened. */
const AFTERMATH_MS = 8_000;

interface Sides {
  primary: { mysqld: string; vttablet: string };
  replicas: string[];
  /** Everything that is not the primary, a replica's mysqld or a vtgate. */
  others: string[];
  vtgates: string[];
}

const parting = (name: string, title: string, part: (sides: Sides) => [string[], string[]]): Fault => ({
  name,
  title,
  scope: "shard",
  expect: { writesResumeWithinMs: RESUME_WITHIN_MS },
  impossible: cutImpossible,
  run: async (rig, signal) => {
    const cluster = Cluster.load(rig.dataDir);
    const peers = peersOf(cluster);
    const [sideA, sideB] = part(await sidesOf(rig, cluster.topology)).map((names) =>
      names.map((each) => peers.get(each)),
    );
    const heal = await cut(present(sideA), present(sideB));
    try {
      await rig.pause(PARTED_MS, signal);
    } finally {
      await heal();
    }
    await rig.pause(AFTERMATH_MS, signal);
  },
});

export const PART_REPLICAS = parting(
  "part-replicas",
  "a primary's mysqld cut off from its replicas, reached by all others",
  ({ primary, replicas }) => [[primary.mysqld], replicas],
);

export const PART_PRIMARY = parting(
  "part-primary",
  "a primary cut off from everything but the vtgates",
  ({ primary, replicas, others }) => [
    [primary.mysqld, primary.vttablet],
    [...replicas, ...others],
  ],
);

/**
 * Here reads through the vtgate on the wrong side are answered by the old primary for as long as it lasts: it has no way
 * to learn that there is another. DESIGN.md says so.
 */
export const PART_VTGATE = parting(
  "part-vtgate",
  "a primary and a vtgate cut off from everything else",
  ({ primary, replicas, others, vtgates: [first, ...rest] }) => [
    [primary.mysqld, primary.vttablet, ...(first ? [first] : [])],
    [...replicas, ...others, ...rest],
  ],
);

async function sidesOf(rig: Rig, { etcd, vtctld, vtorc, vtgates, tablets }: Topology): Promise<Sides> {
  const { alias } = await rig.primaryOf(rig.shard);
  const primary = tablets.find((tablet) => tablet.alias === alias);
  if (!primary) throw new Error(`there is no tablet ${alias}`);
  const rest = tablets.filter((tablet) => tablet !== primary);
  return {
    primary: { mysqld: primary.mysqld, vttablet: primary.vttablet.name },
    replicas: rest.filter(({ shard }) => shard === rig.shard).map(({ mysqld }) => mysqld),
    others: [etcd, vtctld, vtorc, ...rest.map(({ vttablet }) => vttablet)].map(({ name }) => name),
    vtgates: vtgates.map(({ name }) => name),
  };
}

/** Every process that runs, by name. */
function peersOf({ processes, topology: { etcd, vtctld, vtorc, vtgates, tablets } }: Cluster): Map<string, Peer> {
  const listening = [
    ...[etcd, vtctld, vtorc, ...vtgates, ...tablets.map(({ vttablet }) => vttablet)].map(
      ({ name, ports }) => [name, Object.values(ports)] as const,
    ),
    ...tablets.map(({ mysqld, mysqlPort }) => [mysqld, [mysqlPort]] as const),
  ];
  return new Map(
    listening.flatMap(([name, ports]) => {
      const pid = processes.pid(name);
      return pid === undefined ? [] : [[name, { pid, ports }]];
    }),
  );
}

function present(side: (Peer | undefined)[] = []): Peer[] {
  return side.filter((peer) => peer !== undefined);
}
