// The table in each shard: sessions that lead to who serves its range, its primary or its replicas, opened when first
// needed and closed when the shard has gone.

import { type ConnectOptions, connect, type Database } from "./connect.ts";
import type { Fence } from "./fence.ts";
import { observed } from "./observed.ts";
import { Opened } from "./opened.ts";
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
  private readonly opened: Opened<{ database: Database; table: Table }>;

  constructor(
    /** Of each shard's own sessions. */
    private readonly options: ConnectOptions,
    /** Leads by vtgate's plan. */
    private readonly anywhere: Database,
    shards: Shards,
    private readonly parts: TableParts = {},
  ) {
    this.opened = new Opened(shards);
  }

  at(shard: string, type: "primary" | "replica" = "primary"): Table {
    return this.opened.at(shard, type, () => this.open(shard, type)).table;
  }

  close() {
    return this.opened.close();
  }

  private open(shard: string, type: "primary" | "replica") {
    const database = connect({ ...this.options, url: urlOfRange(this.options.url, shard, type) });
    const { observer } = this.options;
    const observe = (each: Database) => observed(each, { shard, type }, observer);
    const { fenceOf, dictionariesOf } = this.parts;
    const fence = fenceOf?.(shard, type);
    return { database, table: new Table(observe(database), observe(this.anywhere), fence, dictionariesOf?.(shard)) };
  }
}
