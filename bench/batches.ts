// Batches beside what others offer for many keys in one request: MGET and MSET of Redis, and etcd's transactions, which
// promise more than a batch does.

import type { RunningServer } from "../vitess/run/server-process.ts";
import { step } from "../vitess/support/progress.ts";
import { atLeast, type Bar } from "./bars.ts";
import { fillKeys } from "./fill.ts";
import { coresTable, find, type Measured, measureAll } from "./measure.ts";
import { findOha, findWebdis } from "./parts.ts";
import { startEtcd } from "./references/etcd.ts";
import { startWebdis } from "./references/webdis.ts";
import { figure, table, versionOf } from "./report.ts";
import type { Rig } from "./rig.ts";
import { batchSystem } from "./store.ts";
import { OPERATIONS } from "./system.ts";

/** Keys of a batch. */
export const BATCH = 100;
export const BATCH_CONNECTIONS = 32;

const NAMES = {
  kv: "vitess-kv, batches",
  webdis: "webdis and Redis, MGET and MSET",
  etcd: "etcd's HTTP gateway, transactions",
};

export interface Batches {
  measured: Measured[];
  bars: Bar[];
  versions: Record<string, string>;
}

/** On a server over the rig's cluster. */
export async function measureBatches(rig: Rig, server: RunningServer): Promise<Batches> {
  // Installed before anything is measured.
  const oha = await findOha(rig.signal);
  await findWebdis(rig.signal);
  await fillKeys(rig);
  const systems = await step("batches' systems and their entries", async () => [
    await batchSystem(rig, server, NAMES.kv, BATCH_CONNECTIONS, BATCH),
    await startWebdis(rig, NAMES.webdis, BATCH_CONNECTIONS, BATCH),
    await startEtcd(rig, NAMES.etcd, BATCH_CONNECTIONS, BATCH),
  ]);
  const measured = await measureAll(rig, systems);
  const keysPerSecond = (operation: "get" | "put") => BATCH * (find(measured, NAMES.kv, operation)?.perSecond ?? 0);
  return {
    measured,
    bars: [
      atLeast(`batches of ${BATCH}, GET keys/s`, 100_000, keysPerSecond("get")),
      atLeast(`batches of ${BATCH}, PUT keys/s`, 20_000, keysPerSecond("put")),
    ],
    versions: { ...Object.assign({}, ...systems.map(({ versions }) => versions)), oha: versionOf(oha, /oha (\S+)/) },
  };
}

export function batchTables({ measured }: Batches): string[] {
  const systems = [...new Set(measured.map(({ system }) => system))];
  const columns = OPERATIONS.flatMap((operation) => {
    const name = operation.toUpperCase();
    return [`${name} keys/s`, `${name} p50 ms`, `${name} p99 ms`, `${name} load generator's cores`];
  });
  const rows = systems.map((system) => [
    system,
    ...OPERATIONS.flatMap((operation) => {
      const { perSecond, p50Ms, p99Ms, cores } = find(measured, system, operation) as Measured;
      return [BATCH * perSecond, p50Ms, p99Ms, cores["load generator"]].map(figure);
    }),
  ]);
  return [table(["System", ...columns], rows), coresTable(measured)];
}
