// What the benchmarks of this repository have measured, as inputs of the capacity model. The range of each is that of
// all measurements of the same thing, in whichever section and round.

import { ASSUMPTIONS, type Assumption } from "./assumptions.ts";
import { PRICES, type Price } from "./prices.ts";
import { measured, type Quantity } from "./quantity.ts";
import { type MeasuredLoad, type Operation, type Results, readResults } from "./results.ts";

/** What a row of an entry has beside key, content type and value: the version, a row's header and its lengths, InnoDB's ids. */
export const ROW_OVERHEAD_BYTES = 16 + 24;
/** The processes through which a statement goes, as bench/cpu.ts groups them; with one vtgate it was called so. */
const LAYERS = { gate: ["vtgates", "vtgate"], tablet: ["vttablets"], mysql: ["mysqlds"] } as const;
type Layer = keyof typeof LAYERS;
const LAYER_NAMES = Object.keys(LAYERS) as Layer[];

const COALESCED = "vitess-kv";
const SINGLE = "vitess-kv, KV_COALESCE=false";
/** In scale.json: the same load as compare's, and one over 500 times the rows. */
const SCALED = ["10,000 keys", "5,000,000 keys"];
const HOT = "one key";
/** Of a statement then: 1,000 calls in two shards, of which half gather while the other half's statement is under way. */
const SHARED_ROWS = 250;
const SATURATING = 1_000;

type Kind = "read" | "write";
const KINDS: { kind: Kind; operation: Operation }[] = [
  { kind: "read", operation: "get" },
  { kind: "write", operation: "put" },
];

/** CPU per statement and per row of one, in microseconds of a core, by layer; and of the server for HTTP and its client. */
type CpuName =
  | `${Kind}${"Statement" | "Row"}${Capitalize<Layer>}Micros`
  | `${Kind}${"AloneCluster" | "Http" | "ClientStatement" | "ClientRow"}Micros`;
type OtherName = "sweepRowsPerSecond" | "sweepRowMicros" | "serverMb" | "hotKeyCallsPerSecond";
export type InputName = CpuName | `${Kind}AloneMs` | OtherName | Assumption | Price;
export type Inputs = Record<InputName, Quantity>;

/** Everything that the model is given. Throws an Error where a result is missing. */
export function readInputs(): Inputs {
  const results = readResults();
  const read = KINDS.map(({ kind, operation }) => ({
    ...cpu(results, kind, operation),
  }));
  const inputs = { ...PRICES, ...ASSUMPTIONS, ...Object.assign({}, ...read), ...other(results) } as Inputs;
  for (const section of ["footprint", "bytes", "reshard"] as const) {
    for (const [name, { values }] of Object.entries(results[section].inputs)) {
      const input = inputs[name as InputName];
      if (!input) throw new Error(`bench/results/${section}.json: there is no input ${name}`);
      inputs[name as InputName] = measured(values, input.unit, `${section}.json`);
    }
  }
  return inputs;
}

/**
 * A statement's fixed part is known from calls that don't share one; a row's is what is left of calls that do. What the
 * server does for a call beside its row is known from calls that are all about one row.
 */
function cpu(results: Results, kind: Kind, operation: Operation): Record<string, Quantity> {
  const loads = [...results.compare.measured, ...results.scale.measured].filter((each) => each.operation === operation);
  const single = samples(loads, [SINGLE], 2);
  const shared = samples(loads, [COALESCED, ...SCALED], SATURATING);
  const server = (sample: Sample) => sample.server ?? 0;
  const http = samples(loads, [HOT], SATURATING).map(server);
  const client = single.map((each) => (server(each) - mean(shared.map(server))) / (1 - 1 / SHARED_ROWS));
  const clientRows = shared.map((each) => Math.max(0, server(each) - mean(http) - mean(client) / SHARED_ROWS));
  const layers = LAYER_NAMES.flatMap((layer): [string, number[]][] => {
    const statements = single.map((each) => microsOf(each, layer));
    const title = `${layer[0]?.toUpperCase()}${layer.slice(1)}`;
    return [
      [`Statement${title}`, statements],
      [`Row${title}`, shared.map((each) => Math.max(0, microsOf(each, layer) - mean(statements) / SHARED_ROWS))],
    ];
  });
  const alone = samples(loads, [COALESCED, SINGLE], 1, 1).map(cluster);
  const micros: [string, number[]][] = [
    ...layers,
    ["AloneCluster", alone],
    ["ClientStatement", client],
    ["ClientRow", clientRows],
    ["Http", http],
  ];
  const source = "compare.json, scale.json";
  const aloneMs = find(loads, [COALESCED, SINGLE], (each) => each === 1).flatMap(({ rounds }) =>
    rounds.map(({ p50Ms }) => p50Ms),
  );
  return {
    ...Object.fromEntries(micros.map(([name, values]) => [`${kind}${name}Micros`, measured(values, "µs", source)])),
    [`${kind}AloneMs`]: measured(aloneMs, "ms", "compare.json, 1 connection"),
  };
}

function other({ expiry, overload, scale }: Results): Record<OtherName, Quantity> {
  const alone = expiry.mass.alone.rowsPerSecondAndShard;
  return {
    // The first and the last window are of part of the time only.
    sweepRowsPerSecond: measured(
      expiry.mass.during.slice(1, -1).map(({ rowsPerSecondAndShard }) => rowsPerSecondAndShard),
      "rows/s",
      "expiry.json: a shard's, beside 500 calls/s",
    ),
    // Two shards keep two cores busy.
    sweepRowMicros: measured([1e6 / alone], "µs", "expiry.json: without calls, all cores busy"),
    hotKeyCallsPerSecond: measured(
      find(scale.measured, ["one key"], () => true).flatMap(({ rounds }) => rounds.map(({ perSecond }) => perSecond)),
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

type Sample = Record<string, number>;

/** Microseconds of a core for each call, by process. */
function samples(loads: MeasuredLoad[], systems: string[], least: number, most = Number.POSITIVE_INFINITY): Sample[] {
  return find(loads, systems, (connections) => connections >= least && connections <= most).flatMap(({ rounds }) =>
    rounds.map(({ cores, perSecond }) =>
      Object.fromEntries(Object.entries(cores).map(([group, used]) => [group, (used * 1e6) / perSecond])),
    ),
  );
}

function find(loads: MeasuredLoad[], systems: string[], fits: (connections: number) => boolean): MeasuredLoad[] {
  return loads.filter(({ system, connections }) => systems.includes(system) && fits(connections));
}

function cluster(sample: Sample): number {
  return LAYER_NAMES.reduce((sum, layer) => sum + microsOf(sample, layer), 0);
}

function microsOf(sample: Sample, layer: Layer): number {
  return LAYERS[layer].reduce((sum, group) => sum + (sample[group] ?? 0), 0);
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
