// The table in each shard: sessions that lead to who serves its range, its primary or its replicas, opened when first
// needed and closed when the shard has gone.

import { type ConnectOptions, connect, type Database } from "./connect.ts";
import type { Fence } from "./fence.ts";
import { observed } from "./observed.ts";
import type { Dictionaries } from "./packed.ts";
import type { Shards } from "./shards.ts";
import { Table } from "./table.ts";
import { urlOfRange } from "./url.ts";

/** What is a shard's own. */
export interface TableParts {
  /** What answers of its primary, or its replicas, must pass. */
  fenceOf?: (shard: string, type: "primary" | "replica") => Fence | undefined;
  dictionariesOf?: (shard: string) => Dictionaries;
}

export class Tables {
  private readonly open = new Map<string, { shard: string; database: Database; table: Table }>();

  constructor(
    /** Of each shard's own sessions. */
    private readonly options: ConnectOptions,
    /** Leads by vtgate's plan. */
    private readonly anywhere: Database,
    private readonly shards: Shards,
    private readonly parts: TableParts = {},
  ) {}

  at(shard: string, type: "primary" | "replica" = "primary"): Table {
    const name = `${shard}@${type}`;
    const known = this.open.get(name);
    if (known) return known.table;
    this.closeGone();
    const database = connect({ ...this.options, url: urlOfRange(this.options.url, shard, type) });
    const { observer } = this.options;
    const observe = (each: Database) => observed(each, { shard, type }, observer);
    const { fenceOf, dictionariesOf } = this.parts;
    const fence = fenceOf?.(shard, type);
    const table = new Table(observe(database), observe(this.anywhere), fence, dictionariesOf?.(shard));
    this.open.set(name, { shard, database, table });
    return table;
  }

  async close() {
    await Promise.all([...this.open.values()].map(({ database }) => database.close()));
  }

  /** Others come when some go, so this is the time to look. What is under way there ends first. */
  private closeGone() {
    const names = new Set(this.shards.names());
    for (const [name, { shard, database }] of this.open) {
      if (names.has(shard)) continue;
      this.open.delete(name);
      database.close();
    }
  }
}
