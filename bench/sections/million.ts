// As many calls as this machine can hold really under way at once: each on a connection of its own, through ordinary
// servers to the ordinary cluster, and each answered rightly.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { entryKey } from "../../src/store/store.ts";
import type { RunningServer } from "../../vitess/run/server-process.ts";
import { step } from "../../vitess/support/progress.ts";
import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { atLeast, barTable, none } from "../bars.ts";
import { clusterGroups, memoryMb } from "../cpu.ts";
import { fillRows } from "../fill.ts";
import type { CallerOptions, Order, Told } from "../million/caller.ts";
import { KEYS, keyOf, valueUnder } from "../million/entries.ts";
import { type Findings, figure, packageVersion, table } from "../report.ts";
import type { Rig } from "../rig.ts";

const WANTED = Number(process.env.KV_BENCH_CALLS ?? 1_000_000);
/** Fewer than 20,000, the files that a process may open on many machines, because its own take part. */
const CONNECTIONS_PER_SERVER = 19_000;
const SERVERS_STARTED_AT_ONCE = 3;
/**
 * Of a call: both ends of its connection in the kernel, its request and its place in a server, and what its caller knows.
 * Of a server and its callers besides. What is left is for all else.
 */
const MEMORY = { callKb: 18, serverMb: 92, spareMb: 1_500 };
const SERVER = {
  KV_DEADLINE_MS: "120000",
  KV_IDLE_MS: "250000",
  KV_SWEEP: "false",
  KV_CONNECTIONS: "16",
  BUN_OPTIONS: "--smol",
};
/** Longer than a call waits. */
const HOLD_MS = 60_000;
const LOOK_EVERY_MS = 3_000;
/** Of the calls, how many servers must have in their hands at one moment before they are let go on. */
const ENOUGH = 0.98;
/** Connections that the kernel remembers, where it follows them at all. */
const TRACKED = "/proc/sys/net/netfilter/nf_conntrack_max";

interface Caller {
  process: Bun.Subprocess;
  ask: (order: Order) => Promise<Told>;
}

export async function million(rig: Rig): Promise<Findings> {
  await rig.makeTable();
  const calls = callsThatFit();
  const servers = Math.ceil(calls / CONNECTIONS_PER_SERVER);
  const each = Math.floor(calls / servers);
  const restore = rememberConnections(2 * calls);
  const callers: Caller[] = [];
  try {
    await fillRows(rig, {
      rows: KEYS,
      keyOf: (row) => entryKey("bench", keyOf(row)),
      expiry: "never",
      value: (row) => Buffer.from(valueUnder(keyOf(row))),
    });
    const running = await startServers(rig, servers);
    const { hostname } = new URL(running[0]?.url as string);
    for (const [i, { url }] of running.entries()) {
      callers.push(startCaller({ hostname, port: Number(new URL(url).port), connections: each, first: i * each }));
    }
    const all = (order: Order) => Promise.all(callers.map(({ ask }) => ask(order)));
    const idle = await memory(rig, running, callers);
    await step(`open ${figure(servers * each)} connections`, async (report) => {
      let open = 0;
      // One after the other, because a listener's backlog is short.
      for (const { ask } of callers) {
        rig.signal.throwIfAborted();
        requireAll(await ask("open"), each);
        open += each;
        report(figure(open));
      }
    });
    const opened = await memory(rig, running, callers);
    const begunMs = performance.now();
    const sent = await step("a call on each", () => all("call"));
    for (const told of sent) requireAll(told, each);
    const sentMs = performance.now();
    const waiting = await step("until the servers have them", (report) =>
      untilHeld(running, servers * each, report, rig.signal),
    );
    const held = await memory(rig, running, callers);
    const releasedMs = performance.now();
    const finished = await step("until each is answered", () => all("finish"));
    const clearedMs = performance.now();
    const checked = await step("look at what was written", () => all("check"));
    const last = checked.map(({ answered }, i) => answered - (finished[i]?.answered ?? 0));
    return findings({
      ...{ servers, connections: servers * each, waiting, idle, opened, held },
      answered: finished.reduce((sum, { answered }) => sum + answered, 0),
      checked: last.reduce((sum, answered) => sum + answered, 0),
      wrong: checked.reduce((sum, { wrong }) => sum + wrong, 0),
      problem: checked.find(({ problem }) => problem)?.problem,
      seconds: {
        send: (sentMs - begunMs) / 1e3,
        hold: (releasedMs - sentMs) / 1e3,
        clear: (clearedMs - releasedMs) / 1e3,
      },
    });
  } finally {
    for (const { process } of callers) process.kill("SIGKILL");
    await Promise.all(callers.map(({ process }) => process.exited));
    restore();
  }
}

interface Outcome {
  servers: number;
  connections: number;
  /** Calls that the servers had taken and not answered, as they say themselves at one moment. */
  waiting: number;
  idle: Memory;
  opened: Memory;
  held: Memory;
  answered: number;
  checked: number;
  wrong: number;
  problem: string | undefined;
  seconds: { send: number; hold: number; clear: number };
}

function findings(outcome: Outcome): Findings {
  const { servers, connections, waiting, idle, opened, held, answered, checked, wrong, problem, seconds } = outcome;
  const kb = (after: Memory, before: Memory, group: keyof Memory) =>
    ((after[group] - before[group]) * 1e3) / connections;
  const groups = Object.keys(held) as (keyof Memory)[];
  const bars = [
    atLeast("calls in flight at once", 500_000, connections),
    atLeast("of them in the hands of servers at one moment", 0.98, waiting / connections),
    none("wrong or missing answers", wrong),
  ];
  return {
    versions: { vitess: VITESS_VERSION, mysql2: packageVersion("mysql2") },
    method: `${figure(servers)} servers and as many callers, over the cluster of two shards; each connection has one call under way at every moment, nine reads to a write, values of 256 bytes under ${figure(KEYS)} keys and a key of its own for each writer. Deadlines of two minutes.`,
    data: { ...outcome, bars },
    markdown: [
      table(
        ["Calls", ""],
        [
          ["in flight", connections.toLocaleString("en-US")],
          ["of which servers had taken and not answered", waiting.toLocaleString("en-US")],
          ["answered meanwhile and after", answered.toLocaleString("en-US")],
          ["written keys looked at afterwards", checked.toLocaleString("en-US")],
          ["wrong or missing", `${wrong.toLocaleString("en-US")}${problem ? ` (${problem})` : ""}`],
          ["seconds until all were sent", figure(seconds.send)],
          ["seconds held so", figure(seconds.hold)],
          ["seconds until all were answered", figure(seconds.clear)],
        ],
      ),
      table(
        [
          "Memory",
          "before, MB",
          "with connections, MB",
          "with calls, MB",
          "of a connection, kB",
          "of a call besides, kB",
        ],
        groups.map((group) => [
          group,
          ...[idle[group], opened[group], held[group]].map(figure),
          ...[kb(opened, idle, group), kb(held, opened, group)].map(figure),
        ]),
      ),
      ...["## Bars", barTable(bars)],
    ].join("\n\n"),
  };
}

function callsThatFit(): number {
  const perCallKb = MEMORY.callKb + (MEMORY.serverMb * 1e3) / CONNECTIONS_PER_SERVER;
  const freeKb = memoryKb("MemAvailable") - MEMORY.spareMb * 1e3;
  return Math.min(WANTED, Math.floor(freeKb / perCallKb));
}

/** The kernel drops connections that it can't remember. Returns what puts things back. */
function rememberConnections(count: number): () => void {
  try {
    const before = readFileSync(TRACKED, "utf8");
    if (Number(before) >= count) return () => {};
    writeFileSync(TRACKED, String(count));
    return () => writeFileSync(TRACKED, before);
  } catch {
    // It follows none, or nobody may change how many.
    return () => {};
  }
}

async function startServers(rig: Rig, count: number): Promise<RunningServer[]> {
  return await step(`start ${count} servers`, async (report) => {
    const running: RunningServer[] = [];
    let next = 0;
    const work = async () => {
      while (next++ < count) {
        running.push(await rig.startServer(SERVER));
        report(String(running.length));
      }
    };
    await Promise.all(Array.from({ length: SERVERS_STARTED_AT_ONCE }, work));
    return running;
  });
}

function startCaller(options: CallerOptions): Caller {
  let heard: (told: Told) => void = () => {};
  const process_ = Bun.spawn(
    [process.execPath, "--smol", join(import.meta.dirname, "../million/caller.ts"), JSON.stringify(options)],
    {
      stdio: ["ignore", "inherit", "inherit"],
      ipc: (told: Told) => heard(told),
    },
  );
  const ask = (order: Order) =>
    new Promise<Told>((resolve, reject) => {
      heard = resolve;
      process_.exited.then((code) => reject(new Error(`a caller ended with ${code}`)));
      process_.send(order);
    });
  return { process: process_, ask };
}

function requireAll({ count, problem }: Told, wanted: number) {
  if (count !== wanted || problem) throw new Error(`${count} of ${wanted}: ${problem ?? "no more"}`);
}

/** Waits until the servers have all calls, or a minute has passed, and returns how many they had at most at one look. */
async function untilHeld(
  servers: RunningServer[],
  calls: number,
  report: (detail: string) => void,
  signal: AbortSignal,
) {
  let most = 0;
  for (const until = performance.now() + HOLD_MS; performance.now() < until && most < ENOUGH * calls; ) {
    await sleep(LOOK_EVERY_MS, undefined, { signal });
    const waiting = await Promise.all(servers.map(waitingAt));
    most = Math.max(
      most,
      waiting.reduce((sum, count) => sum + count, 0),
    );
    report(figure(most));
  }
  return most;
}

async function waitingAt({ url }: RunningServer): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^kv_waiting_calls (\d+)/m.exec(text)?.[1] ?? 0);
}

type Memory = Awaited<ReturnType<typeof memory>>;

/** In MB: of processes what of them is in memory, and what the machine uses besides. */
async function memory(rig: Rig, servers: RunningServer[], callers: Caller[]) {
  const total = (pids: (number | null)[]) =>
    pids.reduce<number>((sum, pid) => sum + (pid === null ? 0 : memoryMb(pid)), 0);
  const own = {
    servers: total(servers.map(({ pid }) => pid)),
    callers: total(callers.map(({ process }) => process.pid)),
    cluster: total(Object.values(clusterGroups(await rig.cluster())).flat()),
  };
  const used = (memoryKb("MemTotal") - memoryKb("MemAvailable")) / 1024;
  return { ...own, "kernel and all else": used - own.servers - own.callers - own.cluster };
}

function memoryKb(name: string): number {
  return Number(new RegExp(`^${name}: +(\\d+)`, "m").exec(readFileSync("/proc/meminfo", "utf8"))?.[1]);
}
