// Measured cases that the simulation has to reproduce before anything larger is believed of it.

import { type Operation, type Results, readResults } from "../capacity/results.ts";
import type { Costs, Kind } from "./costs.ts";
import { type RigOptions, type RigResult, simulateRig } from "./rig.ts";

export interface Case {
  name: string;
  /** Its costs were taken from this very measurement, so that it proves less. */
  isCalibration: boolean;
  options: RigOptions;
  measured: { perSecond: number; p50Ms: number; kind: Kind };
}

export interface Comparison extends Case {
  simulated: { perSecond: number; p50Ms: number };
  /** Of the measured value: 0.1 is a tenth too much. */
  errors: { perSecond: number; p50Ms: number };
}

const RIG = { shards: 2, servers: 1, generators: 1, hot: false, cores: 2 };

const KINDS: Record<Operation, Kind> = { get: "read", put: "write" };
const COALESCED = "vitess-kv";

export function cases(results: Results = readResults()): Case[] {
  return [...ofOha(results), ...ofLoadSimulator(results)];
}

function ofOha({ compare, scale }: Results): Case[] {
  const loads = [
    ...compare.measured.filter(({ system }) => system === COALESCED).map((each) => ({ ...each, isCalibration: true })),
    ...scale.measured
      .filter(({ system }) => !system.startsWith("5,000,000"))
      .map((each) => ({ ...each, isCalibration: each.connections === 1000 && each.system !== "one key" })),
  ];
  return loads.flatMap(({ system, connections, operation, rounds, isCalibration }) =>
    rounds.map(({ perSecond, p50Ms, cores }) => ({
      name: `${operation.toUpperCase()} ${system === COALESCED ? "10,000 keys" : system}, ${connections}`,
      isCalibration,
      options: {
        ...RIG,
        connections,
        reads: operation === "get" ? 1 : 0,
        hot: system === "one key",
        generators: 2,
        generatorMicros: ((cores["load generator"] ?? 0) * 1e6) / perSecond,
      },
      measured: { perSecond, p50Ms, kind: KINDS[operation] },
    })),
  );
}

function ofLoadSimulator({ simulate }: Results): Case[] {
  const reads: Record<string, number> = { a: 0.5, b: 0.95, c: 1, write: 0 };
  return simulate.results.flatMap(({ options, steps }) => {
    const share = reads[options.workload];
    if (share === undefined || options.url.length > 1) return [];
    return steps.map((step) => {
      const kind: Kind = share > 0 ? "read" : "write";
      const { perSecond, latencyMs } = step[`${kind}s`];
      return {
        name: `workload ${options.workload}, ${step.clients}, ${kind}s`,
        isCalibration: false,
        options: {
          ...RIG,
          connections: step.clients,
          reads: share,
          generatorMicros: step.generatorMicrosecondsPerCall,
        },
        measured: { perSecond, p50Ms: latencyMs?.p50 ?? Number.NaN, kind },
      };
    });
  });
}

export function compareCase(each: Case, costs: Costs, seed: number): Comparison {
  const result: RigResult = simulateRig(each.options, costs, seed);
  const { kind, perSecond, p50Ms } = each.measured;
  const simulated = { perSecond: result.perSecond[kind], p50Ms: result.p50Ms[kind] };
  return {
    ...each,
    simulated,
    errors: { perSecond: simulated.perSecond / perSecond - 1, p50Ms: simulated.p50Ms / p50Ms - 1 },
  };
}
