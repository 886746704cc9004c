// MyRocks, a log-structured engine: MariaDB's, because MySQL and Vitess have none.

import { type Connection, createConnection, type RowDataPacket } from "mysql2/promise";
import { LOOPBACK } from "../../vitess/topology/topology.ts";
import { DATABASE } from "../bytes/rows.ts";
import { findMyRocks } from "../parts.ts";
import type { Rig } from "../rig.ts";

/** zstd, on all levels, under the name that this version has for it. */
const COMPRESSION = "kZSTDNotFinalCompression";

/** A server without a log of its own and without replicas, and a connection to an empty database in it. */
export async function startMyRocks(rig: Rig): Promise<Connection> {
  const { program, dir } = await findMyRocks(rig.signal);
  const { ports } = await rig.startReference("myrocks", 1, ([port], data) => ({
    file: program,
    args: [
      ...["--no-defaults", `--datadir=${data}`, `--socket=${data}/socket`, `--port=${port}`],
      ...[`--bind-address=${LOOPBACK}`, "--skip-grant-tables", "--user=root", "--skip-innodb", "--skip-log-bin"],
      ...[`--lc-messages-dir=${dir}/usr/share/mariadb`, `--plugin-dir=${dir}/usr/lib/mysql/plugin`],
      ...["--plugin-load-add=ha_rocksdb.so", "--plugin-maturity=experimental", "--default-storage-engine=ROCKSDB"],
      `--rocksdb-default-cf-options=compression=${COMPRESSION};bottommost_compression=${COMPRESSION}`,
    ],
  }));
  const connection = await createConnection({ host: LOOPBACK, port: ports[0], user: "root", multipleStatements: true });
  await connection.query(`CREATE DATABASE ${DATABASE}; USE ${DATABASE}`);
  return connection;
}

/** Of its one table with its indexes, once all of it has been written and compacted. */
export async function myRocksBytes(connection: Connection): Promise<number> {
  await connection.query("SET GLOBAL rocksdb_force_flush_memtable_now = 1");
  await connection.query("SET GLOBAL rocksdb_compact_cf = 'default'");
  const [[row]] = await connection.query<RowDataPacket[]>(
    `SELECT SUM(data_length + index_length) AS bytes FROM information_schema.tables WHERE table_schema = '${DATABASE}'`,
  );
  return Number(row?.bytes);
}
