// Three times more calls than can be done: what becomes of those that are let in, of memory, and of the time after.

import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { atLeast, atMost, type Bar, barTable, none } from "../bars.ts";
import { type Cores, clusterGroups, type Groups, memoryMb, withCores } from "../cpu.ts";
import { simulateLoad } from "../generators.ts";
import type { LoadOptions } from "../load/options.ts";
import { sum } from "../load/tally.ts";
import { type Findings, figure, median, packageVersion, table } from "../report.ts";
import type { Rig } from "../rig.ts";

const TIMES = 3;
/** Of the greatest load, what counts as a normal one. */
const NORMAL = 0.5;
const CONNECTIONS = 1_000;
/** Each carries one call at a time: they must be more than the server lets in. */
const OVERLOAD_CONNECTIONS = 6_000;
const QUEUE_CALLS = 1_500;
const RECOVERY_SECONDS = 10;
const SAMPLE_MS = 250;
/** A second is normal again when its median is at most this multiple of the median second's before. */
const NORMAL_AGAIN = 1.5;

type Phase = Awaited<ReturnType<typeof runPhase>>;

export async function overload(rig: Rig): Promise<Findings> {
  const [server, full] = [
    await rig.startServer({ KV_QUEUE_CALLS: String(QUEUE_CALLS) }),
    // Turns nearly everything away.
    await rig.startServer({ KV_QUEUE_CALLS: "1" }),
  ];
  const { seconds, warmupSeconds: warmup } = rig.options;
  const clients = [CONNECTIONS];
  const common: LoadOptions = { url: server.url, workload: "a", namespace: "overload", clients, seconds, warmup };
  await simulateLoad(rig, "fill", { ...common, seconds: 1, warmup: 0 });
  const cluster = clusterGroups(await rig.cluster());
  const phase = (name: string, options: Partial<LoadOptions>, { pid } = server) =>
    runPhase(rig, name, pid, { server: [pid], ...cluster }, { ...common, fill: false, ...options });
  const peak = await phase("the most it can do", {});
  const normal = { rate: NORMAL * peak.accepted };
  const before = await phase("before", normal);
  const much = { clients: [OVERLOAD_CONNECTIONS], rate: TIMES * peak.accepted, warmup: 0 };
  const over = await phase(`${TIMES} times that`, { ...much, seconds: 2 * seconds });
  const after = await phase("after", { ...normal, seconds: RECOVERY_SECONDS, warmup: 0 });
  const refusing = await phase("all turned away", { ...much, url: full.url, rate: over.refused }, full);
  const phases = [peak, before, over, after];
  const refusalMicros = (1e6 * (refusing.cores.server as number)) / refusing.refused;
  const bars = judge({ peak, before, over, after }, refusalMicros);
  return {
    versions: { vitess: VITESS_VERSION, mysql2: packageVersion("mysql2") },
    method: `YCSB's workload A with the load simulator, on the same cores as all else. First as many calls as ${figure(CONNECTIONS)} connections can make one after the other; then ${NORMAL} times as many per second, ${TIMES} times as many over ${figure(OVERLOAD_CONNECTIONS)} connections with KV_QUEUE_CALLS=${QUEUE_CALLS}, and at once the same as before. Latencies of accepted calls, from when each was due. What is left for accepted calls is the CPU of the server and the cluster without that of refusals: ${figure(refusalMicros)} µs of the server for each, as a server shows that has room for one call.`,
    data: { phases, refusing, refusalMicros, bars },
    markdown: [
      table(
        [
          ...["Load", "offered/s", "accepted/s", "turned away/s", "p50 ms", "p99 ms", "server's memory, most MB"],
          ...["cores: simulator", "server", "cluster"],
        ],
        [...phases, refusing].map(({ name, offered, accepted, refused, p50Ms, p99Ms, memoryMb, cores }) => [
          ...[name, ...[offered, accepted, refused, p50Ms, p99Ms, memoryMb.most].map(figure)],
          ...[cores["load generator"], cores.server, clusterCores(cores)].map(figure),
        ]),
      ),
      ...["## Bars", barTable(bars)],
    ].join("\n\n"),
  };
}

async function runPhase(rig: Rig, name: string, pid: number, groups: Groups, options: LoadOptions) {
  const memory = [memoryMb(pid)];
  const timer = setInterval(() => memory.push(memoryMb(pid)), SAMPLE_MS);
  const { result, cores } = await withCores(groups, async () => {
    const usedBefore = process.cpuUsage();
    const { steps, violations } = await simulateLoad(rig, name, options);
    const { user, system } = process.cpuUsage(usedBefore);
    return { step: steps[0] as (typeof steps)[0], violations, cpuSeconds: (user + system) / 1e6 };
  }).finally(() => clearInterval(timer));
  const endedMs = performance.now();
  const { reads, writes, refused, errors, measuredSeconds, seconds } = result.step;
  // Of the seconds in which a call that counts has ended.
  const typical = (of: "p50Ms" | "p99Ms") => median(seconds.flatMap((second) => second[of] ?? []));
  return {
    ...{ name, offered: options.rate, seconds, endedMs, violations: result.violations, errors: sum(errors), cores },
    accepted: reads.perSecond + writes.perSecond,
    refused: sum(refused) / measuredSeconds,
    ...{ p50Ms: typical("p50Ms"), p99Ms: typical("p99Ms") },
    memoryMb: { last: memory.at(-1) ?? 0, most: Math.max(...memory) },
    begunMs: endedMs - 1000 * (seconds.at(-1)?.atSeconds ?? 0),
  };
}

function clusterCores(cores: Cores): number {
  return (cores.vtgates ?? 0) + (cores.vttablets ?? 0) + (cores.mysqlds ?? 0);
}

/** Accepted calls for each second of CPU that was left for them. */
function perCpuSecond({ accepted, refused, cores }: Phase, refusalMicros: number): number {
  return accepted / ((cores.server ?? 0) + clusterCores(cores) - (refused * refusalMicros) / 1e6);
}

function judge(phases: Record<"peak" | "before" | "over" | "after", Phase>, refusalMicros: number): Bar[] {
  const { peak, before, over, after } = phases;
  const slow = after.seconds.findLast(({ p50Ms }) => (p50Ms ?? Number.POSITIVE_INFINITY) > NORMAL_AGAIN * before.p50Ms);
  const normalAgainMs = after.begunMs + 1000 * (slow?.atSeconds ?? 0) - over.endedMs;
  const total = (of: "errors" | "violations") => Object.values(phases).reduce((all, each) => all + each[of], 0);
  return [
    atLeast(
      `accepted calls for the CPU that is left for them under ${TIMES} times the load, against the most`,
      0.8,
      perCpuSecond(over, refusalMicros) / perCpuSecond(peak, 0),
    ),
    atMost("memory at most during it, against its most before", 1.5, over.memoryMb.most / before.memoryMb.most),
    atMost("seconds after it until latency is normal again", 5, normalAgainMs / 1000),
    none("errors other than being turned away", total("errors")),
    none("wrong or stale answers", total("violations")),
  ];
}
