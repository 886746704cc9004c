// What a row takes on disk, in the binary log and in a statement, for values of several kinds, as they are and smaller:
// compressed by a server, by InnoDB, or both; and after its table was built anew in the order of its keys.

import type { Connection, RowDataPacket } from "mysql2/promise";
import { judge } from "../../src/dictionaries/sampling.ts";
import { openZstd } from "../../src/zstd/open.ts";
import { step } from "../../vitess/support/progress.ts";
import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { type Codec, codecs, dictionaryOf, OURS, PLAIN } from "../bytes/codecs.ts";
import { json, random, text } from "../bytes/documents.ts";
import { createRows, dropRows, fileBytes, insertRows, keyOf, rebuildRows, withDatabase } from "../bytes/rows.ts";
import { withCores } from "../cpu.ts";
import { myRocksBytes, startMyRocks } from "../references/myrocks.ts";
import { type Findings, figure, packageVersion, table } from "../report.ts";
import type { Rig } from "../rig.ts";

/** Of each kind so many bytes. */
const TOTAL = { bytes: 40e6, mostRows: 80_000 };
const STATEMENT_ROWS = 250;
/** Of the kind's values, so many are what a dictionary is made of, and none of them is stored. */
const SAMPLES = 192;
const TIMED = 2_000;

const KINDS = [
  { kind: "text", bytes: 1_000, make: text },
  { kind: "JSON", bytes: 200, make: json },
  { kind: "JSON", bytes: 1_000, make: json },
  { kind: "JSON", bytes: 10_000, make: json },
  { kind: "random", bytes: 1_000, make: random },
];
type Kind = (typeof KINDS)[number];
/** InnoDB's own compression, beside the kind that the target has. */
const TABLES = ["", "ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8", "ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=4"];
const TARGET = KINDS[2] as Kind;

interface Found {
  kind: string;
  codec: string;
  table: string;
  plainBytes: number;
  storedBytes: number;
  rowBytes: number;
  rebuiltBytes: number;
  logBytes: number;
  statementBytes: number;
  encodeMicros: number;
  decodeMicros: number;
  rowsPerSecond: number;
  mysqldMicros: number;
}

export async function bytes(rig: Rig): Promise<Findings> {
  const cluster = await rig.cluster();
  const shard = cluster.tablets.find(({ role }) => role === "primary")?.shard;
  const mysqlds = cluster.tablets.filter((tablet) => tablet.shard === shard).map(({ pids }) => pids.mysqld);
  const found: Found[] = [];
  await withDatabase(cluster, async (connection) => {
    for (const kind of KINDS) {
      const { values, samples } = documentsOf(kind);
      for (const codec of await codecsFor(samples)) {
        const isTried = kind === TARGET && (codec === PLAIN || codec.name === OURS);
        for (const format of isTried ? TABLES : TABLES.slice(0, 1)) {
          rig.signal.throwIfAborted();
          const title = `${titleOf(kind)}, ${codec.name} ${format}`;
          found.push(await step(title, () => measure(connection, mysqlds, kind, values, codec, format)));
        }
      }
    }
  });
  const inMyRocks = await step("MyRocks", () => measureMyRocks(rig));
  const chosen = found.find(
    ({ kind, codec, table: format }) => kind === titleOf(TARGET) && codec === OURS && format === "",
  ) as Found;
  const kb = chosen.plainBytes / 1e3;
  // Named as the inputs of the capacity model that they replace.
  const inputs = {
    packedShare: chosen.storedBytes / chosen.plainBytes,
    packMicrosPerKb: chosen.encodeMicros / kb,
    unpackMicrosPerKb: chosen.decodeMicros / kb,
  };
  return {
    versions: { vitess: VITESS_VERSION, mysql2: packageVersion("mysql2") },
    method: `Rows like the store's, with made-up values under keys in random order, in statements of ${STATEMENT_ROWS}, straight at the mysqld of a primary with two replicas. Bytes of a row are those of the table's file; rebuilt: after ALTER TABLE … FORCE, which writes the rows in the order of their keys. CPU of mysqlds is that of all three. A dictionary is made of ${SAMPLES} other values of the kind.`,
    data: {
      ...{ found, inMyRocks },
      inputs: Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, { values: [value] }])),
    },
    markdown: [
      table(
        [
          ...["Values", "compressed", "of a value, B", "row, B", "rebuilt, B", "binary log, B", "statement, B"],
          ...["encode, µs", "decode, µs", "rows/s", "mysqlds, µs a row"],
        ],
        found.map((each) => [
          each.kind,
          [each.codec, each.table.replace(/.*=(\d)$/, "InnoDB, $1 kB")].filter(Boolean).join("; "),
          ...[each.storedBytes, each.rowBytes, each.rebuiltBytes, each.logBytes, each.statementBytes].map(figure),
          ...[each.encodeMicros, each.decodeMicros, each.rowsPerSecond, each.mysqldMicros].map(figure),
        ]),
      ),
      "## The same rows in MyRocks, by itself",
      table(
        [`${titleOf(TARGET)}, compressed`, "row, B", "rows/s"],
        inMyRocks.map(({ codec, rowBytes, rowsPerSecond }) => [
          `${codec}; MyRocks, zstd`,
          figure(rowBytes),
          figure(rowsPerSecond),
        ]),
      ),
    ].join("\n\n"),
  };
}

/** One server, which neither logs nor replicates: its rate says less than its bytes. */
async function measureMyRocks(rig: Rig) {
  const connection = await startMyRocks(rig);
  try {
    const { count, samples, values } = documentsOf(TARGET);
    const tried = (await codecsFor(samples)).filter((codec) => codec === PLAIN || codec.name === OURS);
    const found = [];
    for (const { name, encode } of tried) {
      rig.signal.throwIfAborted();
      await createRows(connection, "", "NOT NULL DEFAULT 0");
      const begun = performance.now();
      for (let at = 0; at < count; at += STATEMENT_ROWS) {
        const rows = values
          .slice(at, at + STATEMENT_ROWS)
          .map((value, i) => ({ key: keyOf(at + i), value: encode(value) }));
        await insertRows(connection, rows);
      }
      const seconds = (performance.now() - begun) / 1e3;
      found.push({ codec: name, rowBytes: (await myRocksBytes(connection)) / count, rowsPerSecond: count / seconds });
      await dropRows(connection);
    }
    return found;
  } finally {
    connection.destroy();
  }
}

async function codecsFor(samples: Buffer[]): Promise<Codec[]> {
  return codecs(dictionaryOf(samples), (await judge(samples, "none", openZstd())).better);
}

/** A kind's values, and others of it that a dictionary is made of. */
function documentsOf({ bytes, make }: Kind) {
  const count = Math.min(TOTAL.mostRows, Math.floor(TOTAL.bytes / bytes));
  return {
    count,
    values: Array.from({ length: count }, (_, i) => make(i + SAMPLES, bytes)),
    samples: Array.from({ length: SAMPLES }, (_, i) => make(i, bytes)),
  };
}

function titleOf({ kind, bytes }: Kind): string {
  return `${kind} of ${figure(bytes)} B`;
}

async function measure(
  connection: Connection,
  mysqlds: (number | null)[],
  kind: Kind,
  values: Buffer[],
  codec: Codec,
  format: string,
): Promise<Found> {
  const timed = values.slice(0, TIMED);
  const [stored, encodeMicros] = timing(timed, codec.encode);
  const [decoded, decodeMicros] = timing(stored, (each, i) => codec.decode(each, (timed[i] as Buffer).length));
  if (decoded.some((value, i) => !value.equals(timed[i] as Buffer))) throw new Error(`${codec.name} is not exact`);
  await createRows(connection, format);
  const logBefore = await logPosition(connection);
  const begun = performance.now();
  let storedBytes = 0;
  let statementBytes = 0;
  const { cores } = await withCores({ mysqlds }, async () => {
    for (let at = 0; at < values.length; at += STATEMENT_ROWS) {
      const rows = values.slice(at, at + STATEMENT_ROWS).map((value, i) => {
        const made = codec.encode(value);
        // What does not become smaller stays as it is.
        const kept = made.length < value.length ? made : value;
        storedBytes += kept.length;
        return { key: keyOf(at + i), value: kept };
      });
      statementBytes += await insertRows(connection, rows);
    }
    return { cpuSeconds: 0 };
  });
  const seconds = (performance.now() - begun) / 1e3;
  const logBytes = (await logPosition(connection)) - logBefore;
  const rowBytes = (await fileBytes(connection)) / values.length;
  await rebuildRows(connection);
  const rebuiltBytes = (await fileBytes(connection)) / values.length;
  await dropRows(connection);
  const each = (total: number) => total / values.length;
  return {
    ...{ kind: titleOf(kind), codec: codec.name, table: format },
    plainBytes: each(values.reduce((sum, { length }) => sum + length, 0)),
    ...{ storedBytes: each(storedBytes), rowBytes, rebuiltBytes, encodeMicros, decodeMicros },
    ...{ logBytes: each(logBytes), statementBytes: each(statementBytes), rowsPerSecond: values.length / seconds },
    mysqldMicros: ((cores.mysqlds ?? 0) * seconds * 1e6) / values.length,
  };
}

/** The results, and the microseconds of one. */
function timing(values: Buffer[], work: (value: Buffer, i: number) => Buffer): [Buffer[], number] {
  values.forEach(work);
  const begun = performance.now();
  const results = values.map(work);
  return [results, ((performance.now() - begun) * 1e3) / values.length];
}

/** Bytes of the binary log, over all of its files. */
async function logPosition(connection: Connection): Promise<number> {
  const [files] = await connection.query<RowDataPacket[]>("SHOW BINARY LOGS");
  return files.reduce((sum, { File_size }) => sum + Number(File_size), 0);
}
