// Measures systems under load, one after the other, with the checks that make a figure worth believing: nothing else is
// under way, the load is warmed up, and every answer is right.

import { step } from "../vitess/support/progress.ts";
import { type Cores, untilIdle, withCores } from "./cpu.ts";
import type { Load } from "./generators.ts";
import { figure, median, table } from "./report.ts";
import type { Rig } from "./rig.ts";
import { OPERATIONS, type Operation, type System } from "./system.ts";

const IDLE_TIMEOUT_MS = 15_000;

type Round = Load & { cores: Cores };

/** One kind of call on one system: the median of all rounds. */
export interface Measured {
  system: string;
  connections: number;
  operation: Operation;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  cores: Cores;
  rounds: Round[];
}

/** Both calls on all systems, in rounds that alternate the systems, so that whatever disturbs the machine hits all alike. */
export async function measureAll(rig: Rig, systems: System[]): Promise<Measured[]> {
  const { options, signal } = rig;
  // What a load has left in queues is not the next one's.
  const processes = [...new Set(systems.flatMap((system) => Object.values(system.processes).flat()))];
  const idle = () => untilIdle(processes, IDLE_TIMEOUT_MS, signal);
  const pairs = OPERATIONS.flatMap((operation) =>
    systems.filter((system) => system[operation]).map((system) => ({ system, operation, rounds: [] as Round[] })),
  );
  for (let round = 1; round <= options.rounds; round++) {
    for (const { system, operation, rounds } of pairs) {
      await step(`${titleOf(system, operation)}, round ${round} of ${options.rounds}`, async (report) => {
        rounds.push(await measure(rig, system, operation, idle, report));
      });
    }
  }
  return pairs.map(({ system, operation, rounds }) => summary(system, operation, rounds));
}

/** One round of one call on one system. Throws unless every answer was right. */
async function measure(
  { options }: Rig,
  system: System,
  operation: Operation,
  idle: () => Promise<void>,
  report: (detail: string) => void,
): Promise<Round> {
  const load = system[operation] as NonNullable<System[Operation]>;
  report("waiting until all is idle");
  await idle();
  report("warm-up");
  check(system, operation, await load(options.warmupSeconds));
  report("waiting until all is idle again");
  await idle();
  report("measuring");
  const { result, cores } = await withCores(system.processes, () => load(options.seconds));
  check(system, operation, result);
  if (!(result.perSecond > 0)) throw new Error(`${titleOf(system, operation)}: there was no answer`);
  return { ...result, cores };
}

function titleOf({ name, connections }: System, operation: Operation): string {
  return `${operation.toUpperCase()} ${name}, ${connections} connection${connections > 1 ? "s" : ""}`;
}

function check(system: System, operation: Operation, { statuses, failures, answerBytes }: Load) {
  const good = new Set(["200", "204", "ok"]);
  const wrong = Object.entries({ ...statuses, ...failures }).filter(([status]) => !good.has(status));
  const wasAnswered = Object.keys(statuses).length > 0;
  if (wrong.length > 0) {
    throw new Error(
      `${titleOf(system, operation)}: ${wrong.map(([status, count]) => `${count} answers were ${status}`).join(", ")}`,
    );
  }
  if (operation === "get" && wasAnswered && answerBytes < system.answerBytes) {
    throw new Error(
      `${titleOf(system, operation)}: answers had ${answerBytes} bytes on average, too few to hold the values`,
    );
  }
}

export function find(measured: Measured[], system: string, operation: Operation, connections?: number) {
  return measured.find(
    (each) =>
      each.system === system &&
      each.operation === operation &&
      (connections === undefined || each.connections === connections),
  );
}

/** The columns of a table that tell of both calls, and a system's cells in them. */
export const RATE_COLUMNS = OPERATIONS.flatMap((operation) => {
  const name = operation.toUpperCase();
  return [`${name}/s`, `${name} p50 ms`, `${name} p99 ms`];
});

export function rateCells(measured: Measured[], system: string, connections?: number): string[] {
  return OPERATIONS.flatMap((operation) => {
    const found = find(measured, system, operation, connections);
    return [found?.perSecond, found?.p50Ms, found?.p99Ms].map(figure);
  });
}

/**
 * What each load kept busy. The microseconds are of all cores together, for one call, without the load generator's:
 * what others do on the machine changes them little.
 */
export function coresTable(measured: Measured[]): string {
  const first = ["load generator", "server"];
  const last = ["others"];
  const named = new Set(measured.flatMap(({ cores }) => Object.keys(cores)));
  const groups = [...first, ...[...named].filter((group) => ![...first, ...last].includes(group)), ...last];
  const rows = measured.map(({ system, connections, operation, perSecond, cores }) => {
    const { "load generator": _, others: __, ...own } = cores;
    const total = Object.values(own).reduce((sum, used) => sum + used, 0);
    return [
      `${operation.toUpperCase()} ${system}, ${connections}`,
      ...groups.map((group) => (group in cores ? (cores[group] ?? 0).toFixed(2) : "–")),
      figure((total * 1e6) / perSecond),
    ];
  });
  return table(["Load", ...groups, "µs per call"], rows);
}

function summary(system: System, operation: Operation, rounds: Round[]): Measured {
  const of = (field: (round: Round) => number) => median(rounds.map(field));
  const groups = Object.keys(rounds[0]?.cores ?? {});
  return {
    system: system.name,
    connections: system.connections,
    operation,
    perSecond: of((round) => round.perSecond),
    p50Ms: of((round) => round.p50Ms),
    p99Ms: of((round) => round.p99Ms),
    cores: Object.fromEntries(groups.map((group) => [group, of(({ cores }) => cores[group] ?? Number.NaN)])),
    rounds,
  };
}
