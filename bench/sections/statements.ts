// What each statement costs in each layer, by how many rows it has, and each kind of call besides: inputs of the capacity
// model and of the simulation.

import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { CALL_NAMES } from "../costs/calls.ts";
import { LAYERS, lineOf, MANY, type MeasuredCosts, meanOf, STATEMENTS } from "../costs/costs.ts";
import { measureCosts } from "../costs/measure.ts";
import { SIZES } from "../costs/statements.ts";
import { findOha } from "../parts.ts";
import { type Findings, figure, packageVersion, table, versionOf } from "../report.ts";
import type { Rig } from "../rig.ts";

/** At least, so that there is a range. */
const ROUNDS = 2;

export async function statements(rig: Rig): Promise<Findings> {
  const oha = await findOha(rig.signal);
  const rounds: MeasuredCosts[] = [];
  while (rounds.length < Math.max(ROUNDS, rig.options.rounds)) rounds.push(await measureCosts(rig));
  const { statements, calls, perKb, crowding, alone, idleCores } = meanOf(rounds);
  const layers = { client: "server", gate: "vtgate", tablet: "vttablets", mysql: "mysqlds" };
  return {
    versions: { vitess: VITESS_VERSION, mysql2: packageVersion("mysql2"), oha: versionOf(oha, /oha (\S+)/) },
    method: `Microseconds of a core, one at a time to each of two shards with three tablets each: the line nearest to statements of ${SIZES.join(", ")} rows (the simulation has them as they are), without the ${figure(idleCores)} cores that the cluster uses when nobody calls. Of calls: in this process without sockets and database, and what a server with 1,000 connections, all about one key, takes more for a GET and a PUT; ${figure(100 * crowding.read)}% and ${figure(100 * crowding.write)}% more than that with ${figure(MANY)}. A DELETE is of rows that are put again, and has what that takes more than to put them where they are. The mean of ${rounds.length} rounds.`,
    data: { rounds },
    markdown: [
      table(
        ["Statement", ...LAYERS.flatMap((layer) => [`${layers[layer]}, each`, "each row"])],
        STATEMENTS.map((name) => [
          name,
          ...LAYERS.flatMap((layer) => Object.values(lineOf(statements[name][layer])).map(figure)),
        ]),
      ),
      table(
        ["Call", "server besides statements, µs"],
        CALL_NAMES.map((name) => [name, figure(calls[name])]),
      ),
      table(
        ["A kB of a value, µs", ...LAYERS.map((layer) => layers[layer]), "oha"],
        [
          ["each row that is read", ...LAYERS.map((layer) => figure(perKb.read[layer])), "-"],
          ["each row that is written", ...LAYERS.map((layer) => figure(perKb.write[layer])), "-"],
          ["the answer to a GET", figure(perKb.server), "-", "-", "-", figure(perKb.generator)],
        ],
      ),
      table(
        ["The only caller", "p50 ms", "cluster, µs"],
        [
          ["GET", figure(alone.read.ms), figure(alone.read.clusterMicros)],
          ["PUT", figure(alone.write.ms), figure(alone.write.clusterMicros)],
        ],
      ),
    ].join("\n\n"),
  };
}
