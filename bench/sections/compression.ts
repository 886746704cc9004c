// What it costs, and gains, that servers pack values: a server that does and one that does not, over one cluster, in turns.

import { createConnection, type RowDataPacket } from "mysql2/promise";
import { step } from "../../vitess/support/progress.ts";
import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { atLeast, atMost, barTable } from "../bars.ts";
import { json } from "../bytes/documents.ts";
import { clusterGroups } from "../cpu.ts";
import { httpLoad } from "../generators.ts";
import { coresTable, measureAll, RATE_COLUMNS, rateCells } from "../measure.ts";
import { findOha } from "../parts.ts";
import { type Findings, figure, table, versionOf } from "../report.ts";
import type { Rig } from "../rig.ts";
import { KEY_NAMES, KEYS, linesFile, OPERATIONS, putKeys, type System } from "../system.ts";
import { ratioOf } from "../turns.ts";

const [MANY, ONE] = [1_000, 1];
const ON = "packed";
const OFF = "KV_COMPRESS=false";
const VALUE_BYTES = 1_000;
/** Of the bodies, of which each PUT takes one at random. */
const BODIES = 5_000;

export async function compression(rig: Rig): Promise<Findings> {
  const oha = await findOha(rig.signal);
  const bodies = Array.from({ length: BODIES }, (_, i) => json(i, VALUE_BYTES).toString());
  const files = {
    bodies: linesFile(rig, "compression.bodies", bodies),
    least: Math.min(...bodies.map(({ length }) => length)),
  };
  const variants = { [OFF]: "false", [ON]: "true" };
  const systems: System[] = [];
  const namespaces: Record<string, string> = {};
  for (const [name, compress] of Object.entries(variants)) {
    const { url, pid } = await rig.startServer({ KV_SWEEP: "false", KV_COMPRESS: compress });
    const namespace = `compress-${compress}`;
    namespaces[name] = namespace;
    await fill(`${name}: write ${figure(KEYS)} documents`, `${url}/v1/kv/${namespace}`, bodies, rig.signal);
    const urls = linesFile(
      rig,
      `${namespace}.urls`,
      KEY_NAMES.map((key) => `${url}/v1/kv/${namespace}/${key}`),
    );
    for (const connections of [MANY, ONE]) {
      const load = { connections, url: { file: urls } };
      systems.push({
        ...{ name, connections, answerBytes: files.least, versions: {} },
        processes: { server: [pid], ...clusterGroups(await rig.cluster()) },
        get: (seconds) => httpLoad({ ...load, seconds }, rig.signal),
        put: (seconds) => httpLoad({ ...load, seconds, method: "PUT", body: { linesOf: files.bodies } }, rig.signal),
      });
    }
  }
  const measured = await measureAll(rig, systems);
  const stored = Object.fromEntries(
    await Promise.all(
      Object.entries(namespaces).map(async ([name, namespace]) => [name, await storedBytes(rig, namespace)] as const),
    ),
  );
  const bars = [
    atMost("bytes of a value, against as it is", 0.5, (stored[ON] ?? Number.NaN) / (stored[OFF] ?? Number.NaN)),
    ...OPERATIONS.flatMap((operation) => {
      const name = operation.toUpperCase();
      return [
        atLeast(`${name}/s`, 0.95, ratioOf(measured, ON, OFF, { connections: MANY, operation })),
        atMost(
          `${name}, one connection's median`,
          1.1,
          ratioOf(measured, ON, OFF, { connections: ONE, operation }, "p50Ms"),
        ),
      ];
    }),
  ];
  const rows = Object.keys(variants).flatMap((name) =>
    [MANY, ONE].map((connections) => [
      ...[name, figure(connections), figure(stored[name])],
      ...rateCells(measured, name, connections),
    ]),
  );
  return {
    versions: { vitess: VITESS_VERSION, oha: versionOf(oha, /oha (\S+)/) },
    method: `JSON documents of ${figure(VALUE_BYTES)} bytes under ${figure(KEYS)} keys, a namespace for each server; each figure measured for ${rig.options.seconds} s after ${rig.options.warmupSeconds} s of warm-up, the median of ${rig.options.rounds} rounds that alternate the servers. A bar is the median of the rounds' ratios.`,
    data: { measured, stored, bars },
    markdown: [
      table(["Server", "connections", "bytes of a value", ...RATE_COLUMNS], rows),
      coresTable(measured),
      ...["## Bars", barTable(bars)],
    ].join("\n\n"),
  };
}

/** Twice: of the first values a dictionary is made. */
async function fill(title: string, url: string, bodies: string[], signal: AbortSignal) {
  let next = 0;
  const put = (key: string) => new Request(`${url}/${key}`, { method: "PUT", body: bodies[next++ % BODIES] });
  await step(title, async () => {
    await putKeys(put, signal);
    await putKeys(put, signal);
  });
}

/** Of a value in its row, on average. */
async function storedBytes(rig: Rig, namespace: string): Promise<number> {
  const connection = await createConnection((await rig.cluster()).vtgates[0].url);
  try {
    const [rows] = await connection.query<RowDataPacket[]>(
      "SELECT SUM(LENGTH(value)) AS bytes, COUNT(*) AS count FROM entries WHERE `key` > ? AND `key` < ?",
      [`${namespace}/`, `${namespace}0`],
    );
    return Number(rows[0]?.bytes) / Number(rows[0]?.count);
  } finally {
    connection.destroy();
  }
}
