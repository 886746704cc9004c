// A mix of all kinds at three times what can be done: whether each call that is let in is answered, and no kind suffers
// more than others.

import { step } from "../../vitess/support/progress.ts";
import { atLeast, atMost, type Bar, none } from "../bars.ts";
import { memoryMb } from "../memory.ts";
import { figure, table } from "../report.ts";
import type { Rig } from "../rig.ts";
import { KEYS } from "../system.ts";
import { type Driven, drive } from "./drive.ts";
import { MIXED } from "./kinds.ts";
import { CONNECTIONS, idleCluster, type Part, wrongLines } from "./part.ts";
import { Script } from "./script.ts";

const TIMES = 3;
/** Each carries one call at a time: they must be more than the server lets in. */
const OVERLOAD_CONNECTIONS = 6_000;
const QUEUE_CALLS = 1_500;
const DEADLINE_SECONDS = 10;
const SAMPLE_MS = 250;

interface Phase extends Driven {
  name: string;
  /** Calls in a second; null where each connection makes its next when it has its answer. */
  offered: number | null;
  slowestSeconds: number;
  mostMemoryMb: number;
  kinds: { kind: string; offered: number; answered: number; ratio: number }[];
}

export async function mixOverload(rig: Rig): Promise<Part> {
  const server = await rig.startServer({
    KV_QUEUE_CALLS: String(QUEUE_CALLS),
    KV_DEADLINE_MS: String(1000 * DEADLINE_SECONDS),
  });
  const { seconds, warmupSeconds } = rig.options;
  const idle = await idleCluster(rig);
  const phase = async (
    name: string,
    connections: number,
    times: { seconds: number; warmupSeconds: number },
    rate?: number,
  ) => {
    const calls = new Script({ namespace: "calls-mix", kinds: MIXED, keys: KEYS, shared: true });
    const memory = [memoryMb(server.pid)];
    const timer = setInterval(() => memory.push(memoryMb(server.pid)), SAMPLE_MS);
    try {
      const driven = await step(`mix: ${name}`, () =>
        drive({ url: server.url, calls, connections, rate, idle, ...times }, rig.signal),
      );
      const slowestSeconds = calls.slowestMs / 1000;
      return {
        name,
        offered: rate ?? null,
        slowestSeconds,
        mostMemoryMb: Math.max(...memory),
        kinds: shares(calls),
        ...driven,
      };
    } finally {
      clearInterval(timer);
    }
  };
  const peak = await phase("the most it can do", CONNECTIONS, { seconds, warmupSeconds });
  const over = await phase(
    `${TIMES} times that`,
    OVERLOAD_CONNECTIONS,
    { seconds: 2 * seconds, warmupSeconds: 0 },
    TIMES * peak.all.perSecond,
  );
  const wrongs = wrongLines([peak, over].map((each) => [each.name, each.wrongs]));
  const markdown = [phaseTable([peak, over]), ...wrongs, shareTable(over)].join("\n\n");
  return { data: { mix: [peak, over] }, bars: judge(peak, over), markdown };
}

/** A kind's share of all answers against its share of all calls. */
function shares({ offered, answered }: Script): Phase["kinds"] {
  const sum = (counts: number[]) => counts.reduce((all, count) => all + count, 0);
  return MIXED.map(({ name }, i) => {
    const [asked, given] = [offered[i] as number, answered[i] as number];
    return { kind: name, offered: asked, answered: given, ratio: given / sum(answered) / (asked / sum(offered)) };
  });
}

function judge(peak: Phase, over: Phase): Bar[] {
  const what = `mix of all kinds at ${TIMES} times the load`;
  return [
    // Otherwise it was no overload, and the others say nothing.
    atLeast(`${what}: calls turned away`, 1, over.turnedAway),
    none(`${what}: errors other than being turned away`, peak.wrong + over.wrong),
    atMost(`${what}: slowest accepted call, s`, DEADLINE_SECONDS, over.slowestSeconds),
    atMost(`${what}: memory at most, against its most before`, 1.5, over.mostMemoryMb / peak.mostMemoryMb),
    atMost(
      `${what}: a kind's share of answers, off its share of calls at most by`,
      0.2,
      Math.max(...over.kinds.map(({ ratio }) => Math.abs(ratio - 1))),
    ),
  ];
}

function phaseTable(phases: Phase[]): string {
  const head = ["Mix of all kinds", "offered/s", "answered/s", "p50 ms", "p99 ms", "turned away", "not begun", "wrong"];
  return table(
    [...head, "slowest s, once sent", "server's memory, most MB"],
    phases.map((each) => [
      each.name,
      ...[each.offered ?? undefined, each.all.perSecond, each.all.p50Ms, each.all.p99Ms].map(figure),
      ...[each.turnedAway, each.notStarted, each.wrong, each.slowestSeconds, each.mostMemoryMb].map(figure),
    ]),
  );
}

function shareTable({ kinds }: Phase): string {
  return table(
    [`Kind, at ${TIMES} times the load`, "calls", "answered", "share of answers ÷ share of calls"],
    kinds.map(({ kind, offered, answered, ratio }) => [kind, ...[offered, answered, ratio].map(figure)]),
  );
}
