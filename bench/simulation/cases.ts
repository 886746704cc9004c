// Measured cases that the simulation has to reproduce before anything larger is believed of it.

import { type Operation, type Results, readResults } from "../capacity/results.ts";
import { figure, percent, table } from "../report.ts";
import type { Costs, Kind } from "./costs.ts";
import { onMachine, type RigOptions, simulateRig, slownessFrom } from "./rig.ts";

interface Case {
  name: string;
  /** It told what things cost, or how fast the machine was, so that it proves less. */
  isCalibration: boolean;
  options: RigOptions;
  /** On the machine as it was then. */
  costs: Costs;
  measured: Outcome & { kind: Kind };
}

interface Outcome {
  perSecond: number;
  p50Ms: number;
}

export interface Comparison extends Omit<Case, "costs"> {
  simulated: Outcome;
  /** Of the measured value: 0.1 is a tenth too much. */
  errors: Outcome;
}

const RIG = { shards: 2, generators: 1, hot: false, cores: 2 };
/** Two measurements of the same load differ by up to 22% themselves. */
const BOUNDS = { mean: 0.15, each: 0.3 };
const KINDS: Record<Operation, Kind> = { get: "read", put: "write" };
const COALESCED = "vitess-kv";
/** Of the load simulator's workloads, the share of reads; the two that tell how fast the machine was. */
const READS: Record<string, number> = { a: 0.5, b: 0.95, c: 1, write: 0 };
const PURE: Record<string, Kind> = { c: "read", write: "write" };

/** Simulates each case and holds it against what was measured. */
export function compareCases(costs: Costs, seed: number): Comparison[] {
  const results = readResults();
  return [...ofOha(results, costs), ...ofLoadSimulator(results, costs, seed)].map(({ costs: then, ...each }) => {
    const { kind, perSecond, p50Ms } = each.measured;
    const result = simulateRig(each.options, then, seed);
    const simulated = { perSecond: result.perSecond[kind], p50Ms: result.p50Ms[kind] };
    const errors = { perSecond: simulated.perSecond / perSecond - 1, p50Ms: simulated.p50Ms / p50Ms - 1 };
    return { ...each, simulated, errors };
  });
}

function ofOha({ compare, scale }: Results, costs: Costs): Case[] {
  const loads = [
    ...compare.measured.filter(({ system }) => system === COALESCED),
    ...scale.measured.filter(({ system }) => !system.startsWith("5,000,000")),
  ];
  return loads.flatMap(({ system, connections, operation, rounds }) =>
    rounds.map(({ perSecond, p50Ms, cores }) => ({
      name: `${operation.toUpperCase()} ${system === COALESCED ? "10,000 keys" : system}, ${connections}`,
      isCalibration: connections <= 1000,
      options: {
        ...RIG,
        connections,
        reads: operation === "get" ? 1 : 0,
        hot: system === "one key",
        generators: 2,
        generatorMicros: ((cores["load generator"] ?? 0) * 1e6) / perSecond,
      },
      costs,
      measured: { perSecond, p50Ms, kind: KINDS[operation] },
    })),
  );
}

function ofLoadSimulator({ simulate }: Results, costs: Costs, seed: number): Case[] {
  const cases = simulate.results.flatMap(({ options: { workload, url }, steps }) => {
    const share = READS[workload];
    if (share === undefined || url.length > 1) return [];
    return steps.map((step): Case => {
      const kind: Kind = share > 0 ? "read" : "write";
      const { perSecond, latencyMs } = step[`${kind}s`];
      return {
        name: `workload ${workload}, ${step.clients}, ${kind}s`,
        isCalibration: workload in PURE,
        options: {
          ...RIG,
          connections: step.clients,
          reads: share,
          generatorMicros: step.generatorMicrosecondsPerCall,
        },
        costs,
        measured: { perSecond, p50Ms: latencyMs?.p50 ?? Number.NaN, kind },
      };
    });
  });
  const pure = (kind: Kind) => {
    const found = cases.find(({ isCalibration, measured }) => isCalibration && measured.kind === kind);
    if (!found) throw new Error(`bench/results/simulate.json has no workload of ${kind}s alone`);
    return { many: { options: found.options, perSecond: found.measured.perSecond } };
  };
  const then = onMachine(costs, slownessFrom({ read: pure("read"), write: pure("write") }, costs, seed));
  return cases.map((each) => ({ ...each, costs: then }));
}

/** Whether the simulation is near enough to what was measured for anything larger to be believed of it. */
export function verdictOn(comparisons: Pick<Comparison, "errors">[]) {
  const errors = comparisons.flatMap(({ errors: { perSecond, p50Ms } }) => [Math.abs(perSecond), Math.abs(p50Ms)]);
  const each = Math.max(...errors);
  const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
  return {
    isNearEnough: each <= BOUNDS.each && mean <= BOUNDS.mean,
    sentence: `Against what was measured: ${percent(mean)} off on average, at most ${percent(each)}; bounds are ${percent(BOUNDS.mean)} and ${percent(BOUNDS.each)}. Cases with a star gave the simulation its costs, or told how fast the machine was.`,
  };
}

export function comparisonTable(comparisons: Comparison[]): string {
  return table(
    ["Measured case", "calls/s measured", "simulated", "error", "p50 ms measured", "simulated", "error"],
    comparisons.map(({ name, isCalibration, measured, simulated, errors }) => [
      isCalibration ? `${name} *` : name,
      ...[figure(measured.perSecond), figure(simulated.perSecond), percent(errors.perSecond)],
      ...[figure(measured.p50Ms), figure(simulated.p50Ms), percent(errors.p50Ms)],
    ]),
  );
}
