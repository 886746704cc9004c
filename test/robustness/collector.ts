// An hour in seconds, for Vitess's collector of dropped tables: it looks every few seconds and not every hour, and there are
// tables for it, as schema changes leave them.

import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findParts } from "../../vitess/install/parts.ts";
import type { ClusterStatus } from "../../vitess/run/status.ts";
import { connectToTablet } from "../targets.ts";

/** Of each primary, before a command: the collector renames and drops them while it lasts. */
const TABLES = 5;
const CHECK_INTERVAL = "5s";

/** Makes a folder of Vitess's programs, for PATH, whose vttablet looks so often. */
export async function makeEagerCollector(dir: string) {
  // The others need what lies beside them.
  const { mysqld: _, etcd: __, ...programs } = (await findParts()).programs;
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  for (const [name, path] of Object.entries(programs)) symlinkSync(path, join(dir, name));
  const vttablet = join(dir, "vttablet");
  rmSync(vttablet);
  writeFileSync(vttablet, `#!/bin/sh\nexec ${programs.vttablet} --gc-check-interval=${CHECK_INTERVAL} "$@"\n`);
  chmodSync(vttablet, 0o755);
}

/** Leaves tables on every primary that serves, named as those of changes that were cleaned up seconds ago. */
export async function litter({ tablets, shards }: ClusterStatus) {
  for (const { role, serving, shard, mysqlSocket } of tablets) {
    if (role !== "primary" || !serving || !shards.includes(shard)) continue;
    const mysql = await connectToTablet(mysqlSocket);
    try {
      for (let i = 1; i <= TABLES; i++) {
        const id = crypto.randomUUID().replaceAll("-", "");
        const at = new Date(Date.now() - i * 1_000).toISOString().replace(/\D/g, "").slice(0, 14);
        await mysql.query(`CREATE TABLE _vt_hld_${id}_${at}_ (id INT PRIMARY KEY)`);
      }
    } finally {
      mysql.destroy();
    }
  }
}
