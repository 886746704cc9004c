// All that the simulation and the capacity model are told of CPU, measured one after the other on the machine of now.

import { clusterGroups, coresOf } from "../cpu.ts";
import { fillKeys } from "../fill.ts";
import { find, type Measured, measureAll } from "../measure.ts";
import type { Rig } from "../rig.ts";
import { storeSystem } from "../store.ts";
import { KEY_NAMES, type Operation, VALUE_BYTES } from "../system.ts";
import { FEW, LARGE_BYTES, MANY, type MeasuredCosts } from "./costs.ts";
import { callMicros } from "./server.ts";
import { GROUPS, measureStatements } from "./statements.ts";

/** Calls that share statements with so many others that these cost the server nothing. */
const HOT = { name: "one key", connections: FEW };
const CROWDED = { name: "one key", connections: MANY };
const LARGE = { name: "one key, a large value", connections: FEW };
const LARGE_KEY = "large";
const ALONE = { name: "all keys", connections: 1 };

export async function measureCosts(rig: Rig): Promise<MeasuredCosts> {
  const cluster = await rig.cluster();
  await rig.makeTable();
  const { statements, perKb: ofRows, idleCores } = await measureStatements(rig);
  const server = await rig.startServer();
  await fillKeys(rig);
  await fetch(`${server.url}/v1/kv/bench/${LARGE_KEY}`, { method: "PUT", body: Buffer.alloc(LARGE_BYTES, "v") });
  const { put: _, ...large } = await storeSystem(rig, server, LARGE.name, LARGE.connections, [LARGE_KEY]);
  const measured = await measureAll(rig, [
    large,
    await storeSystem(rig, server, HOT.name, HOT.connections, KEY_NAMES.slice(0, 1)),
    await storeSystem(rig, server, CROWDED.name, CROWDED.connections, KEY_NAMES.slice(0, 1)),
    await storeSystem(rig, server, ALONE.name, ALONE.connections),
  ]);
  await rig.stopServers();
  const of = ({ name, connections }: typeof HOT, operation: Operation) =>
    find(measured, name, operation, connections) as Measured;
  const served = (operation: Operation, load = HOT, process = "server") => {
    const { cores, perSecond } = of(load, operation);
    return (1e6 * (cores[process] as number)) / perSecond;
  };
  const perKb = (process: string) =>
    (1_000 * Math.max(0, served("get", LARGE, process) - served("get", HOT, process))) / (LARGE_BYTES - VALUE_BYTES);
  const crowding = (operation: Operation) => Math.max(0, served(operation, CROWDED) / served(operation) - 1);
  const alone = (operation: Operation) => {
    const { cores, perSecond, p50Ms } = of(ALONE, operation);
    const busy = Object.values(GROUPS).reduce(
      (sum, layer) => sum + Math.max(0, (cores[layer] ?? 0) - (idleCores[layer] ?? 0)),
      0,
    );
    return { ms: p50Ms, clusterMicros: (1e6 * busy) / perSecond };
  };
  return {
    statements,
    calls: await callMicros({ read: served("get"), write: served("put") }, rig.signal),
    perKb: { server: perKb("server"), generator: perKb("load generator"), ...ofRows },
    crowding: { read: crowding("get"), write: crowding("put") },
    alone: { read: alone("get"), write: alone("put") },
    idleCores: coresOf(clusterGroups(cluster), idleCores),
  };
}
