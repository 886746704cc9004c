// Which locks each statement takes, and in which order, as MySQL itself lists them.

import { urlOfShard } from "../../src/database/url.ts";
import { findParts, mysqlVersion } from "../../vitess/install/parts.ts";
import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { barTable, none } from "../bars.ts";
import { isInOrder, measureOrder, orderTable } from "../locks/order.ts";
import { isGap, locksIn, measureStatements, READS, statementTable } from "../locks/statements.ts";
import type { Findings } from "../report.ts";
import type { Rig } from "../rig.ts";
import { keysOfOneShard } from "../store.ts";

const ROWS = 5;

export async function locks(rig: Rig): Promise<Findings> {
  const { url, shards, tablets } = await rig.cluster();
  await rig.makeTable();
  const primary = tablets.find(({ shard, role }) => shard === shards[0] && role === "primary");
  const socket = primary?.mysqlSocket as string;
  const cases = await measureStatements(socket, keysOfOneShard(3));
  const orders = await measureOrder(urlOfShard(url, shards[0] as string), socket, keysOfOneShard(ROWS));
  const bars = [
    none("locks of gaps between rows", locksIn(cases).filter(isGap).length),
    none("locks that reads of live keys take", locksIn(cases.filter(({ call }) => READS.includes(call))).length),
    none(
      "statements that lock their rows in another order than that of the keys",
      orders.filter((order) => !isInOrder(order)).length,
    ),
  ];
  return {
    versions: { vitess: VITESS_VERSION, mysql: mysqlVersion(await findParts(rig.signal)) },
    method: `performance_schema.data_locks of a shard's primary. At a statement's end: run by the store in a transaction at that server, looked at before its commit, after another session has asked for all rows without waiting, so that locks are listed that a new row has by itself; X is exclusive, S shared, both of rows alone and not of the gaps between them. In the middle: a statement of ${ROWS} rows in a session at the shard, given in the opposite order, while another session holds the one in the middle.`,
    data: { cases, orders, bars },
    markdown: [
      ...["## At its end", statementTable(cases)],
      ...["## In the middle", orderTable(orders, ROWS)],
      ...["## Bars", barTable(bars)],
    ].join("\n\n"),
  };
}
