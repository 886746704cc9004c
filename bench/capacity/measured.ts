// What the benchmarks of this repository have measured, as inputs of the capacity model. The range of each is that of
// all measurements of the same thing, in whichever section and round.

import { ASSUMPTIONS, type Assumption } from "./assumptions.ts";
import { measured, type Quantity } from "./quantity.ts";
import { type MeasuredLoad, type Operation, type Results, readResults } from "./results.ts";

/** What a row of an entry has beside key, content type and value: the version, a row's header and its lengths, InnoDB's ids. */
export const ROW_OVERHEAD_BYTES = 16 + 24;
/** Of a row's expiry, where it has one. */
const EXPIRY_BYTES = 8;
/** What bench/expiry/size.ts stores: keys such as `size/with TTL-123456`, values of 256 bytes, the default content type. */
const SIZED_PAYLOAD_BYTES = 22 + 256 + 24;

/** The processes through which a statement goes, as bench/cpu.ts groups them; with one vtgate it was called so. */
const LAYERS = { gate: ["vtgates", "vtgate"], tablet: ["vttablets"], mysql: ["mysqlds"] } as const;
type Layer = keyof typeof LAYERS;
const LAYER_NAMES = Object.keys(LAYERS) as Layer[];

const COALESCED = "vitess-kv";
const SINGLE = "vitess-kv, KV_COALESCE=false";
/** In scale.json: the same load as compare's, and one over 500 times the rows. */
const SCALED = ["10,000 keys", "5,000,000 keys"];
const WAY = "text, bytes as hex, TCP (the server's)";
const MANY_ROWS = 500;
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
type LatencyName = `${Kind}${"Alone" | "Saturated"}Ms` | `${Kind}${"Statement" | "Row"}LatencyMicros`;
type OtherName =
  | "fill"
  | "ttlIndexBytes"
  | "plainIndexBytes"
  | "sweepRowsPerSecond"
  | "sweepAloneRowsPerSecond"
  | "sweepRowMicros"
  | "serverMb"
  | "hotKeyCallsPerSecond";
type MeasuredName = CpuName | LatencyName | OtherName;
export type InputName = MeasuredName | Assumption;
export type Inputs = Record<InputName, Quantity>;

/** Everything that the model is given. Throws an Error where a result is missing. */
export function readInputs(): Inputs {
  const results = readResults();
  const read = KINDS.map(({ kind, operation }) => ({
    ...cpu(results, kind, operation),
    ...latency(results, kind, operation),
  }));
  const inputs = { ...ASSUMPTIONS, ...Object.assign({}, ...read), ...other(results) } as Inputs;
  for (const [section, found] of Object.entries(results.inputs)) {
    for (const [name, { values }] of Object.entries(found)) {
      const input = inputs[name as InputName];
      if (!input) throw new Error(`bench/results/${section}.json: there is no input ${name}`);
      inputs[name as InputName] = measured(values, input.unit, `${section}.json`);
    }
  }
  return inputs;
}

/**
 * A batch's number of rows is not in the results. It follows from what one costs: a statement's fixed part is known from
 * calls that don't share one, a row's from statements of 500.
 */
function cpu(results: Results, kind: Kind, operation: Operation): Record<string, Quantity> {
  const loads = [...results.compare.measured, ...results.scale.measured].filter((each) => each.operation === operation);
  const single = samples(loads, [SINGLE], 2);
  const shared = samples(loads, [COALESCED, ...SCALED], SATURATING);
  const row = protocolOf(results, operation, MANY_ROWS);
  const fixed = mean(single.map(cluster)) - row.clusterMicroseconds;
  const perRow = row.clusterMicroseconds - fixed / MANY_ROWS;
  const batches = shared.map((sample) => ({ sample, rows: fixed / (cluster(sample) - perRow) }));
  const source = "compare.json, scale.json, protocol.json";
  const named = LAYER_NAMES.flatMap((layer) => {
    const statement = mean(single.map((sample) => microsOf(sample, layer)));
    const rows = batches.map(({ sample, rows }) => Math.max(0, microsOf(sample, layer) - statement / rows));
    const title = `${layer[0]?.toUpperCase()}${layer.slice(1)}`;
    return [
      [
        `${kind}Statement${title}Micros`,
        measured(
          single.map((each) => microsOf(each, layer)),
          "µs",
          source,
        ),
      ],
      [`${kind}Row${title}Micros`, measured(rows, "µs", source)],
    ] as const;
  });
  const clientRow = row.clientMicroseconds;
  const client = single.map(
    (each) => (each.server ?? 0) - mean(shared.map((sample) => sample.server ?? 0)) + clientRow,
  );
  const http = batches.map(({ sample, rows }) => (sample.server ?? 0) - clientRow - mean(client) / rows);
  return {
    ...Object.fromEntries(named),
    [`${kind}AloneClusterMicros`]: measured(
      samples(loads, [COALESCED, SINGLE], 1, 1).map(cluster),
      "µs",
      "compare.json, 1 connection: a statement of one row while nothing else is under way",
    ),
    [`${kind}ClientStatementMicros`]: measured(client, "µs", source),
    [`${kind}ClientRowMicros`]: measured([clientRow], "µs", "protocol.json"),
    [`${kind}HttpMicros`]: measured(http, "µs", source),
  };
}

function latency(results: Results, kind: Kind, operation: Operation): Record<string, Quantity> {
  const loads = [...results.compare.measured, ...results.scale.measured].filter((each) => each.operation === operation);
  const p50 = (systems: string[], connections: number) =>
    find(loads, systems, (each) => each === connections).flatMap(({ rounds }) => rounds.map(({ p50Ms }) => p50Ms));
  const [one, many] = [protocolOf(results, operation, 1), protocolOf(results, operation, MANY_ROWS)];
  const perRow = (many.microseconds * MANY_ROWS - one.microseconds) / (MANY_ROWS - 1);
  return {
    [`${kind}AloneMs`]: measured(p50([COALESCED, SINGLE], 1), "ms", "compare.json, 1 connection"),
    [`${kind}SaturatedMs`]: measured(
      p50([COALESCED, ...SCALED], SATURATING),
      "ms",
      "compare.json, scale.json, 1,000 connections",
    ),
    [`${kind}RowLatencyMicros`]: measured([perRow], "µs", "protocol.json"),
    [`${kind}StatementLatencyMicros`]: measured([one.microseconds - perRow], "µs", "protocol.json"),
  };
}

function other({ expiry, overload, scale }: Results): Record<OtherName, Quantity> {
  const [plain, ttl] = expiry.sizes;
  if (!plain || !ttl) throw new Error("bench/results/expiry.json has not both sizes");
  const payload = SIZED_PAYLOAD_BYTES + ROW_OVERHEAD_BYTES;
  const fills = [payload / plain.rowBytes, (payload + EXPIRY_BYTES) / ttl.rowBytes];
  const alone = expiry.mass.alone.rowsPerSecondAndShard;
  return {
    fill: measured(fills, "", "expiry.json: bytes of a row against its share of the table"),
    ttlIndexBytes: measured([ttl.indexBytes], "B", "expiry.json"),
    plainIndexBytes: measured([plain.indexBytes], "B", "expiry.json"),
    // The first and the last window are of part of the time only.
    sweepRowsPerSecond: measured(
      expiry.mass.during.slice(1, -1).map(({ rowsPerSecondAndShard }) => rowsPerSecondAndShard),
      "rows/s",
      "expiry.json: a shard's, beside 500 calls/s",
    ),
    sweepAloneRowsPerSecond: measured([alone], "rows/s", "expiry.json: a shard's, without calls"),
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

function protocolOf({ protocol }: Results, operation: Operation, rows: number) {
  const figure = protocol.figures.find(
    (each) => each.way === WAY && each.operation === operation && each.rows === rows,
  );
  if (!figure) throw new Error(`bench/results/protocol.json has no ${operation} of ${rows} rows`);
  return figure;
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
