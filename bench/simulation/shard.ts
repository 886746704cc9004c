// A shard: its tablets' cores, a bounded number of statements at once, the lock of a hot row, and times without a primary.

import type { StatementName } from "../costs/costs.ts";
import { type Costs, kindOf, of } from "./costs.ts";
import type { Events } from "./events.ts";
import type { Processor } from "./processor.ts";

export interface Statement {
  name: StatementName;
  rows: number;
  /** Writes the row that everybody writes. */
  hot: boolean;
  /** Called with whether it was carried out; one that was not is known not to have happened. */
  done: (happened: boolean) => void;
}

/** Statements that a tablet takes at once: --queryserver-config-pool-size of vitess/topology/topology.ts. */
const POOL = 64;
/**
 * Who computes for each core, from which on nobody has time to poll and spin for a read. What is done beside a write, the
 * threads that wake up for its commit on three servers, is done in any case.
 */
const SPINLESS_LOAD = 3;
const REPLICAS = 2;
/** Of what a commit waits for, the part that a replica's own commit of the same takes of its disk. */
const SYNC_SHARE = 0.5;

export class Shard {
  private running = 0;
  private waiting: Statement[] = [];
  private hotRow: { held: boolean; waiting: Statement[] } = { held: false, waiting: [] };
  private downUntil = 0;

  constructor(
    private readonly events: Events,
    private readonly tablets: Processor,
    /** What commits wait for. Those of one shard at a time are synced and acknowledged as a group. */
    private readonly disk: Processor,
    private readonly costs: Costs,
    /** What replicas' own commits wait for, where it is not theirs alone. */
    private readonly replicaDisk?: Processor,
  ) {}

  /** Has no primary for a time. Those under way end: their commit has a second machine's acknowledgement, or waits. */
  fail(seconds: number) {
    this.downUntil = this.events.now + seconds;
  }

  submit(statement: Statement) {
    if (this.events.now < this.downUntil) statement.done(false);
    else if (this.running === POOL) this.waiting.push(statement);
    else this.begin(statement);
  }

  private begin(statement: Statement) {
    this.running += 1;
    if (!statement.hot) this.execute(statement);
    else if (this.hotRow.held) this.hotRow.waiting.push(statement);
    else {
      this.hotRow.held = true;
      this.execute(statement);
    }
  }

  private execute(statement: Statement) {
    const costs = this.costs.statements[statement.name];
    const kind = kindOf(statement.name);
    const spinning = kind === "write" ? 1 : Math.max(0, 1 - this.tablets.load / SPINLESS_LOAD);
    const beside = costs.beside * spinning;
    if (beside > 0) this.tablets.compute(beside, () => {});
    this.tablets.compute(of(costs.primary, statement.rows), () => {
      const replica = of(costs.replicas, statement.rows) / REPLICAS;
      const sync = () => this.replicaDisk?.compute(SYNC_SHARE * costs.waiting, () => {});
      for (let i = 0; replica > 0 && i < REPLICAS; i++) this.tablets.compute(replica, sync);
      if (kind === "write") this.disk.compute(costs.waiting, () => this.end(statement));
      else this.events.at(this.events.now + costs.waiting, () => this.end(statement));
    });
  }

  private end(statement: Statement) {
    this.running -= 1;
    if (statement.hot) {
      const next = this.hotRow.waiting.shift();
      if (next) this.execute(next);
      else this.hotRow.held = false;
    }
    const next = this.waiting.shift();
    if (next) this.begin(next);
    statement.done(true);
  }
}
