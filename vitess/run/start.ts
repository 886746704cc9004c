// Starts a cluster's processes, in the order in which they need each other, and waits until each answers.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { portInUse } from "../../src/port.ts";
import type { Parts } from "../install/parts.ts";
import { ClusterProblem } from "../support/problem.ts";
import type { Processes } from "../support/processes.ts";
import { step } from "../support/progress.ts";
import { together } from "../support/together.ts";
import { KEYSPACE, LOOPBACK, type Process, type Tablet } from "../topology/topology.ts";
import type { Cluster } from "./folder.ts";
import { forgetLostPrimaries, withoutLost } from "./lost.ts";
import { type Fill, mysqldRuns, mysqlEnvironment, STOP_TIMEOUT_MS, startMysqlds } from "./mysqlds.ts";
import { vtctl } from "./vtctl.ts";
import "../support/no-proxy.ts";

const READY_TIMEOUT_MS = 2_000;
const PORT_TIMEOUT_MS = 2_000;
export const START_TIMEOUT_MS = 120_000;

/**
 * Starts what does not run yet, then waits for `ready`; on failure or abort stops what it started. New tablets are empty,
 * or what `fill` makes of them.
 */
export async function startProcesses<T>(
  cluster: Cluster,
  parts: Parts,
  signal: AbortSignal | undefined,
  ready: () => Promise<T>,
  fill?: Fill,
): Promise<T> {
  if (cluster.settings.restoring && !fill) {
    throw new ClusterProblem(
      `A restore into ${cluster.dataDir} was cut off. Run 'restore' again, or delete what it left with 'reset'.`,
    );
  }
  const stops: (() => Promise<void>)[] = [];
  try {
    await start(withoutLost(cluster), parts, stops, signal, fill);
    return await ready();
  } catch (error) {
    if (stops.length > 0) await step("stop what was started", () => runInReverse(stops));
    throw error;
  }
}

async function start(
  cluster: Cluster,
  parts: Parts,
  stops: (() => Promise<void>)[],
  signal?: AbortSignal,
  fill?: Fill,
) {
  const { topology, processes } = cluster;
  const { etcd, vtctld, vtorc, vtgates, tablets } = topology;
  await checkPorts(cluster);
  const env = mysqlEnvironment(cluster, parts);
  const launch = (spec: Process) => async (signal: AbortSignal) => {
    if (processes.pid(spec.name) === undefined) {
      processes.start(spec.name, { file: parts.programs[spec.program], args: spec.args, env });
      stops.push(() => processes.stop(spec.name, STOP_TIMEOUT_MS));
    }
    await untilReady(processes, spec, signal);
  };

  await together(signal, [
    (signal) =>
      step("etcd, vtctld and the keyspace", async () => {
        await launch(etcd)(signal);
        await launch(vtctld)(signal);
        await setUpKeyspace(cluster, parts, signal);
      }),
    (signal) => startMysqlds(cluster, parts, stops, signal, fill),
  ]);
  await forgetLostPrimaries(cluster, vtctl(cluster, parts), signal);
  // vtorc and vtgates look for tablets when they start, and again only seconds later.
  await step(`${tablets.length} tablets`, () =>
    together(
      signal,
      tablets.map(
        (tablet) => (signal) =>
          launch(tablet.vttablet)(signal).catch((error) => passOverDiverged(processes, tablet, error)),
      ),
    ),
  );
  await step("vtorc and vtgates", () => together(signal, [vtorc, ...vtgates].map(launch)));
}

/** A vttablet refuses to start if its mysqld holds what its primary does not. Others have what was acknowledged. */
function passOverDiverged(processes: Processes, { vttablet }: Tablet, error: unknown) {
  const diverged = processes.logTail(vttablet.name).includes("Errant GTID detected");
  if (!diverged || !(error instanceof ClusterProblem)) throw error;
}

/** Runs every stop, the last first, also when one fails. */
async function runInReverse(stops: (() => Promise<void>)[]) {
  for (const stop of stops.reverse()) await stop().catch((error) => console.error(error));
}

async function setUpKeyspace(cluster: Cluster, parts: Parts, signal?: AbortSignal) {
  const client = vtctl(cluster, parts);
  for (const { unless, call } of cluster.topology.setup) {
    await client(unless, signal).catch((error) => {
      signal?.throwIfAborted();
      if (!(error instanceof ClusterProblem)) throw error;
      return client(call, signal);
    });
  }
  const vschema = readFileSync(join(import.meta.dirname, "../topology/vschema.json"), "utf8");
  await client(["ApplyVSchema", `--vschema=${vschema}`, KEYSPACE], signal);
}

async function untilReady(processes: Processes, spec: Process, signal?: AbortSignal) {
  const url = `http://${LOOPBACK}:${spec.ports.http}${spec.readyPath}`;
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const limit = AbortSignal.timeout(READY_TIMEOUT_MS);
    const answer = await fetch(url, { signal: signal ? AbortSignal.any([signal, limit]) : limit }).catch(
      () => undefined,
    );
    if (answer?.ok) return;
    signal?.throwIfAborted();
    if (processes.pid(spec.name) === undefined || Date.now() > deadline) {
      throw new ClusterProblem(
        `${spec.name} did not start. The end of ${processes.logFile(spec.name)}:\n${processes.logTail(spec.name)}`,
      );
    }
    await sleep(100, undefined, { signal });
  }
}

async function checkPorts({ processes, topology }: Cluster) {
  const { etcd, vtctld, vtorc, vtgates, tablets } = topology;
  const wanted = [
    ...[etcd, vtctld, vtorc, ...vtgates, ...tablets.map((tablet) => tablet.vttablet)]
      .filter(({ name }) => processes.pid(name) === undefined)
      .flatMap(({ name, ports }) => Object.entries(ports).map(([purpose, port]) => ({ name, purpose, port }))),
    ...tablets
      .filter((tablet) => !mysqldRuns(processes, tablet))
      .map((tablet) => ({ name: tablet.mysqld, purpose: "mysql", port: tablet.mysqlPort })),
  ];
  for (const { name, purpose, port } of wanted) {
    // A process that was just killed may take a moment to let go of its port.
    const deadline = Date.now() + PORT_TIMEOUT_MS;
    while (await portInUse(LOOPBACK, port)) {
      if (Date.now() > deadline) {
        throw new ClusterProblem(
          `Port ${port} (for ${name}, ${purpose}) is in use. Stop what listens there, perhaps a cluster in another data folder, or choose other ports with --port-base.`,
        );
      }
      await sleep(100);
    }
  }
}
