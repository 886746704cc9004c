// What is opened for each shard, with connections of its own, when it is first needed, and closed when the shard has gone.

import type { Database } from "./connect.ts";
import type { Shards } from "./shards.ts";

export class Opened<T extends { database: Database }> {
  private readonly open = new Map<string, { shard: string; opened: T }>();

  constructor(private readonly shards: Pick<Shards, "names">) {}

  /** The one of several of a shard that has this name. */
  at(shard: string, name: string, make: () => T): T {
    const id = `${shard} ${name}`;
    const known = this.open.get(id);
    if (known) return known.opened;
    this.closeGone();
    const opened = make();
    this.open.set(id, { shard, opened });
    return opened;
  }

  async close() {
    await Promise.all([...this.open.values()].map(({ opened }) => opened.database.close()));
  }

  /** Others come when some go, so this is the time to look. What is under way there ends first. */
  private closeGone() {
    const names = new Set(this.shards.names());
    for (const [id, { shard, opened }] of this.open) {
      if (names.has(shard)) continue;
      this.open.delete(id);
      opened.database.close();
    }
  }
}
