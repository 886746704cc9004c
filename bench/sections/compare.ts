// The store beside others under the same load, on the same machine, in the same run.

import { findParts } from "../../vitess/install/parts.ts";
import { step } from "../../vitess/support/progress.ts";
import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { barTable, none } from "../bars.ts";
import { DEADLOCKS, deadlocks } from "../deadlocks.ts";
import { measureAll } from "../measure.ts";
import { findOha, findSysbench } from "../parts.ts";
import { startEtcd } from "../references/etcd.ts";
import { startHono } from "../references/hono.ts";
import { startSysbench } from "../references/sysbench.ts";
import { type Findings, figure, packageVersion, versionOf } from "../report.ts";
import type { Rig } from "../rig.ts";
import { fillStore, storeSystem } from "../store.ts";
import { KEYS, type System, VALUE_BYTES } from "../system.ts";
import {
  CONNECTIONS,
  coresTable,
  FEW_CONNECTIONS,
  judge,
  NAMES,
  resultTable,
  SYSBENCH_THREADS,
} from "./compare-report.ts";

export async function compare(rig: Rig): Promise<Findings> {
  const { options, signal } = rig;
  // Installed before anything is measured.
  const oha = await findOha(signal);
  await findSysbench(signal);
  const cluster = await rig.cluster();
  const systems = await step("servers and their entries", () => startSystems(rig));
  const deadlocksBefore = await deadlocks(cluster);
  const measured = await measureAll(rig, systems);
  const found = (await deadlocks(cluster)) - deadlocksBefore;
  const bars = [...judge(measured), none(DEADLOCKS, found)];
  const others = Math.max(...measured.map(({ cores }) => cores.others ?? 0));
  const { mysqld } = (await findParts(signal)).programs;
  const results = resultTable(systems, measured);
  return {
    versions: {
      vitess: VITESS_VERSION,
      mysql: versionOf(mysqld, /Ver (\S+)/),
      hono: packageVersion("hono"),
      mysql2: packageVersion("mysql2"),
      ...Object.assign({}, ...systems.map((system) => system.versions)),
      oha: versionOf(oha, /oha (\S+)/),
    },
    method: `Values of ${VALUE_BYTES} bytes under ${figure(KEYS)} keys, chosen uniformly at random; each figure measured for ${options.seconds} s after ${options.warmupSeconds} s of warm-up${options.rounds > 1 ? `, the median of ${options.rounds} rounds that alternate the systems` : ""}. Meanwhile other programs kept at most ${others.toFixed(2)} cores busy.`,
    data: { measured, bars },
    markdown: [results, "## Bars", barTable(bars), "## Cores in use", coresTable(measured)].join("\n\n"),
  };
}

async function startSystems(rig: Rig): Promise<System[]> {
  const coalescing = await rig.startServer();
  const direct = await rig.startServer({ KV_COALESCE: "false" });
  await fillStore(rig, coalescing);
  const both = async (connections: number) => [
    await storeSystem(rig, coalescing, NAMES.kv, connections),
    await storeSystem(rig, direct, NAMES.direct, connections),
  ];
  return [
    ...(await both(CONNECTIONS)),
    await startSysbench(rig, NAMES.sysbench, SYSBENCH_THREADS),
    await startEtcd(rig, NAMES.etcd, CONNECTIONS),
    await startHono(rig, NAMES.hono, CONNECTIONS),
    ...(await both(FEW_CONNECTIONS)),
    ...(await both(1)),
  ];
}
