// Predicts a load's throughput and latency by the simulation, after two measurements have told how fast the machine is.

import { readInputs } from "../capacity/measured.ts";
import { valuesOf } from "../capacity/quantity.ts";
import { type Costs, costsOf, type Kind, slower } from "../simulation/costs.ts";
import { simulateRig } from "../simulation/rig.ts";
import { CALIBRATIONS, type Configuration, READS } from "./configurations.ts";

export interface Outcome {
  /** Reads and writes together. */
  perSecond: number;
  /** Of reads, or where there are none of writes. */
  p50Ms: number;
}

/** How many times as long everything takes as the results say. */
export type Slowness = Record<Kind, number>;

const CORES = 2;
const SEED = 1;
const SLOWNESS = { least: 0.3, most: 4, halvings: 14 };

export function predict(configuration: Configuration, slowness: Slowness): Outcome {
  const { read, write, ...others } = costsOf(valuesOf(readInputs()), configuration.valueBytes);
  return simulate(configuration, {
    ...others,
    read: slower(read, slowness.read),
    write: slower(write, slowness.write),
  });
}

/** With which the simulation has the throughput that was measured for the two loads. */
export function slownessFrom(measured: Record<Kind, number>): Slowness {
  const find = (kind: Kind) => {
    let [low, high] = [SLOWNESS.least, SLOWNESS.most];
    for (let i = 0; i < SLOWNESS.halvings; i++) {
      const middle = Math.sqrt(low * high);
      const { perSecond } = predict(CALIBRATIONS[kind], { read: middle, write: middle });
      if (perSecond > measured[kind]) low = middle;
      else high = middle;
    }
    return Math.sqrt(low * high);
  };
  return { read: find("read"), write: find("write") };
}

function simulate({ workload, connections, shards }: Configuration, costs: Costs): Outcome {
  const { perSecond, p50Ms } = simulateRig(
    {
      ...{ connections, shards, reads: READS[workload], cores: CORES },
      ...{ servers: 1, generators: 1, generatorMicros: generatorMicrosOf(connections), hot: false },
    },
    costs,
    SEED,
  );
  return { perSecond: perSecond.read + perSecond.write, p50Ms: READS[workload] > 0 ? p50Ms.read : p50Ms.write };
}

/** Of the load simulator for each call, from simulate.json: waking up for few, and larger tables for many. */
function generatorMicrosOf(connections: number): number {
  return 11.5 + 49 / Math.sqrt(connections) + connections / 10_000;
}
