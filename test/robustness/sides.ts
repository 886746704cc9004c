// What a network can part: the cluster's processes and the servers, by name and by the zone in which they are.

import { Cluster } from "../../vitess/run/folder.ts";
import type { Tablet } from "../../vitess/topology/topology.ts";
import { cut, type Peer } from "./network.ts";
import type { Rig } from "./rig.ts";

/** Names of processes. */
export interface Zone {
  mysqlds: string[];
  vttablets: string[];
  vtgates: string[];
  servers: string[];
}

export interface Sides {
  /** Of the shard that the fault is about, as are the replicas. */
  primary: { alias: string; mysqld: string; vttablet: string };
  replicas: { mysqlds: string[]; vttablets: string[] };
  /**
   * The zone of that primary, and all others. A zone has a tablet of each shard. The first server and the first vtgate are
   * in this one, the second of each in another.
   */
  near: Zone;
  far: Zone;
  /** Those by which it is decided who is a primary. */
  control: string[];
}

/** Two sides that don't reach each other. */
export type Parted = readonly [string[], string[]];

export async function sidesOf(rig: Rig): Promise<Sides> {
  const { etcd, vtctld, vtorc, vtgates, tablets } = Cluster.load(rig.dataDir).topology;
  const { alias } = await rig.primaryOf(rig.shard);
  const primary = tablets.find((tablet) => tablet.alias === alias);
  if (!primary) throw new Error(`there is no tablet ${alias}`);
  const isNear = (tablet: Tablet) => zoneOf(tablet) === zoneOf(primary);
  const vtgateNames = vtgates.map(({ name }) => name);
  const servers = rig.servers.map((_, number) => serverName(number));
  return {
    primary: { alias, mysqld: primary.mysqld, vttablet: primary.vttablet.name },
    replicas: namesOf(tablets.filter((tablet) => tablet.shard === rig.shard && tablet !== primary)),
    near: { ...namesOf(tablets.filter(isNear)), vtgates: vtgateNames.slice(0, 1), servers: servers.slice(0, 1) },
    far: {
      ...namesOf(tablets.filter((tablet) => !isNear(tablet))),
      vtgates: vtgateNames.slice(1),
      servers: servers.slice(1),
    },
    control: [etcd, vtctld, vtorc].map(({ name }) => name),
  };
}

export const tabletsIn = ({ mysqlds, vttablets }: Pick<Zone, "mysqlds" | "vttablets">) => [...mysqlds, ...vttablets];
export const allIn = (zone: Zone) => [...tabletsIn(zone), ...zone.vtgates, ...zone.servers];

/**
 * Does the work while these are parted. Where two of these share a process, the later one decides to whom that can open
 * new connections.
 */
export async function whileParted(rig: Rig, parted: Parted[], work: () => Promise<void>) {
  const peers = peersOf(rig);
  const present = (names: string[]) => names.flatMap((name) => peers.get(name) ?? []);
  const heals: (() => Promise<void>)[] = [];
  try {
    for (const [sideA, sideB] of parted) heals.unshift(await cut(present(sideA), present(sideB)));
    await work();
  } finally {
    for (const heal of heals) await heal();
  }
}

/** The tablets of a shard are numbered from a hundred on. */
const zoneOf = ({ uid }: Tablet) => uid % 100;

const serverName = (number: number) => `server-${number + 1}`;

function namesOf(tablets: Tablet[]) {
  return { mysqlds: tablets.map(({ mysqld }) => mysqld), vttablets: tablets.map(({ vttablet }) => vttablet.name) };
}

/** Every process that runs, by name. */
function peersOf(rig: Rig): Map<string, Peer> {
  const { processes, topology } = Cluster.load(rig.dataDir);
  const { etcd, vtctld, vtorc, vtgates, tablets } = topology;
  const listening = [
    ...[etcd, vtctld, vtorc, ...vtgates, ...tablets.map(({ vttablet }) => vttablet)].map(({ name, ports }) => ({
      name,
      pid: processes.pid(name),
      ports: Object.values(ports),
    })),
    ...tablets.map(({ mysqld, mysqlPort }) => ({ name: mysqld, pid: processes.pid(mysqld), ports: [mysqlPort] })),
    ...rig.servers.map(({ pid, port }, number) => ({ name: serverName(number), pid: pid ?? undefined, ports: [port] })),
  ];
  return new Map(listening.flatMap(({ name, pid, ports }) => (pid === undefined ? [] : [[name, { pid, ports }]])));
}
