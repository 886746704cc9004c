// What the benchmarks of this repository have measured, as inputs of the capacity model. The range of each is that of
// all measurements of the same thing, in whichever section and round.

import { KINDS, type Kind, USUAL } from "../costs/calls.ts";
import { LAYERS, type Layer, lineOf, type MeasuredCosts } from "../costs/costs.ts";
import { ASSUMPTIONS, type Assumption } from "./assumptions.ts";
import { PRICES, type Price } from "./prices.ts";
import { measured, type Quantity } from "./quantity.ts";
import { type Results, readResults } from "./results.ts";

/** What a row of an entry has beside key, content type and value: the version, a row's header and its lengths, InnoDB's ids. */
export const ROW_OVERHEAD_BYTES = 16 + 24;

/**
 * CPU per statement, per row of one and per further kB of its value, in microseconds of a core, by layer; and of the server
 * for HTTP and its client.
 */
type CpuName =
  | `${Kind}${"Statement" | "Row" | "Kb"}${Capitalize<Exclude<Layer, "client">>}Micros`
  | `${Kind}${"AloneCluster" | "Http" | "ClientStatement" | "ClientRow" | "ClientKb"}Micros`;
type OtherName = "httpKbMicros" | "sweepRowsPerSecond" | "sweepRowMicros" | "serverMb" | "hotKeyCallsPerSecond";
export type InputName = CpuName | `${Kind}AloneMs` | OtherName | Assumption | Price;
export type Inputs = Record<InputName, Quantity>;

/** Everything that the model is given. Throws an Error where a result is missing. */
export function readInputs(): Inputs {
  const results = readResults();
  const cpus = KINDS.map((kind) => cpu(results.statements.rounds, kind));
  const inputs = { ...PRICES, ...ASSUMPTIONS, ...Object.assign({}, ...cpus), ...other(results) } as Inputs;
  for (const section of ["footprint", "bytes", "reshard", "cold", "pages"] as const) {
    for (const [name, { values }] of Object.entries(results[section].inputs)) {
      const input = inputs[name as InputName];
      if (!input) throw new Error(`bench/results/${section}.json: there is no input ${name}`);
      inputs[name as InputName] = measured(values, input.unit, `${section}.json`);
    }
  }
  return inputs;
}

function cpu(rounds: MeasuredCosts[], kind: Kind): Record<string, Quantity> {
  const name = USUAL[kind];
  const micros: Record<string, (round: MeasuredCosts) => number> = {
    Http: ({ calls }) => calls[name],
    AloneCluster: ({ alone }) => alone[kind].clusterMicros,
  };
  for (const layer of LAYERS) {
    const title = `${layer[0]?.toUpperCase()}${layer.slice(1)}`;
    const isClient = layer === "client";
    micros[isClient ? "ClientStatement" : `Statement${title}`] = ({ statements }) =>
      lineOf(statements[name][layer]).statement;
    micros[isClient ? "ClientRow" : `Row${title}`] = ({ statements }) => lineOf(statements[name][layer]).row;
    micros[isClient ? "ClientKb" : `Kb${title}`] = ({ perKb }) => perKb[kind][layer];
  }
  const source = "statements.json";
  return {
    ...Object.fromEntries(
      Object.entries(micros).map(([each, of]) => [`${kind}${each}Micros`, measured(rounds.map(of), "µs", source)]),
    ),
    [`${kind}AloneMs`]: measured(
      rounds.map(({ alone }) => alone[kind].ms),
      "ms",
      `${source}, 1 connection`,
    ),
  };
}

function other({ statements, expiry, overload, scale }: Results): Record<OtherName, Quantity> {
  const alone = expiry.mass.alone.rowsPerSecondAndShard;
  return {
    httpKbMicros: measured(
      statements.rounds.map(({ perKb }) => perKb.server),
      "µs/kB",
      "statements.json: of a server's CPU, for the answer to a GET",
    ),
    sweepRowsPerSecond: measured(
      [expiry.mass.rowsPerSecondAndShard],
      "rows/s",
      "expiry.json: a shard's, beside 500 calls/s",
    ),
    // Two shards keep two cores busy.
    sweepRowMicros: measured([1e6 / alone], "µs", "expiry.json: without calls, all cores busy"),
    hotKeyCallsPerSecond: measured(
      scale.measured
        .filter(({ system }) => system === "one key")
        .flatMap(({ rounds }) => rounds.map(({ perSecond }) => perSecond)),
      "calls/s",
      "scale.json: reads or writes of one key, by one server on two cores",
    ),
    serverMb: measured(
      overload.phases.map(({ memoryMb }) => memoryMb.most),
      "MB",
      "overload.json: a server's memory under load",
    ),
  };
}
