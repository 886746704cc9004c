// A server: one thread that reads requests, sends statements and writes answers, with the lanes of src/batching/lane.ts, the
// keys once in a statement as in src/batching/writes.ts, and the bounds of src/batching/admission.ts.

import { type Costs, type Kind, of } from "./costs.ts";
import type { Events } from "./events.ts";
import type { Processor } from "./processor.ts";
import type { Shard, Statement } from "./shard.ts";

export type Outcome = "done" | "overloaded" | "unavailable";

export interface Call {
  kind: Kind;
  shard: number;
  /** About the key that everybody calls. */
  hot: boolean;
  /** When it was due, from which its latency counts. */
  begunAt: number;
  answered: (outcome: Outcome) => void;
  /** Of the server that has let it in. */
  deadline: number;
  settled: boolean;
}

export interface ServerOptions {
  batchRows: number;
  maxCalls: number;
  deadlineSeconds: number;
  connections: number;
}

/** Requests and answers that a thread handles before it looks what else has arrived. */
const CALLS_A_TURN = 64;
/** How often calls past their deadline are looked for. */
const TICK_SECONDS = 0.05;

class Lane {
  readonly queue: Call[] = [];
  underWay = false;
  /** On the list of those that may send. */
  listed = false;

  constructor(
    readonly shard: Shard,
    readonly kind: Kind,
  ) {}
}

/** Things for the thread to do: what each takes of it, and what then happens. */
interface Work {
  seconds: number;
  calls: number;
  action: () => void;
}

export class Server {
  private readonly lanes: Record<Kind, (Lane | undefined)[]> = { read: [], write: [] };
  private work: Work[] = [];
  private next = 0;
  private ready: Lane[] = [];
  private isRunning = false;
  private statements = 0;
  private arrivals: Call[] = [];
  private calls = 0;
  private isDead = false;

  constructor(
    private readonly events: Events,
    private readonly thread: Processor,
    private readonly gate: Processor,
    private readonly shards: Shard[],
    private readonly costs: Costs,
    private readonly options: ServerOptions,
  ) {
    this.tick();
  }

  receive(call: Call) {
    if (this.isDead) return call.answered("unavailable");
    const isFull = this.calls >= this.options.maxCalls;
    const seconds = isFull ? this.costs.refusal : this.costs[call.kind].request;
    this.add({ seconds, calls: 1, action: () => this.admit(call) });
  }

  /** Its connections are reset: whoever waits learns so at once. */
  kill() {
    this.isDead = true;
    for (const call of this.arrivals) this.answer(call, "unavailable");
    this.work = [];
    this.arrivals = [];
  }

  private add(work: Work) {
    this.work.push(work);
    if (!this.isRunning) this.turn();
  }

  private admit(call: Call) {
    if (this.calls >= this.options.maxCalls) return call.answered("overloaded");
    this.calls += 1;
    call.deadline = this.events.now + this.options.deadlineSeconds;
    this.arrivals.push(call);
    this.enqueue(call);
  }

  private enqueue(call: Call) {
    const lanes = this.lanes[call.kind];
    let lane = lanes[call.shard];
    if (!lane) {
      lane = new Lane(this.shards[call.shard] as Shard, call.kind);
      lanes[call.shard] = lane;
    }
    lane.queue.push(call);
    this.list(lane);
  }

  private list(lane: Lane) {
    if (lane.listed || lane.underWay || lane.queue.length === 0) return;
    lane.listed = true;
    this.ready.push(lane);
  }

  /** One turn of the event loop: some of what has arrived, then the statements of lanes that are free. */
  private turn() {
    if (this.isDead) return;
    this.isRunning = true;
    const begun = this.next;
    let seconds = this.costs.wake;
    for (let calls = 0; this.next < this.work.length && calls < CALLS_A_TURN; this.next++) {
      const work = this.work[this.next] as Work;
      seconds += work.seconds;
      calls += work.calls;
    }
    const works = this.work.slice(begun, this.next);
    // What is done is let go of, but not one by one.
    if (this.next === this.work.length || this.next > 4 * CALLS_A_TURN) {
      this.work.splice(0, this.next);
      this.next = 0;
    }
    this.thread.compute(seconds, "steady", () => {
      for (const { action } of works) action();
      this.send();
      if (this.work.length > this.next) this.turn();
      else this.isRunning = false;
    });
  }

  private send() {
    const ready = this.ready;
    this.ready = [];
    for (const lane of ready) {
      if (this.statements === this.options.connections) {
        this.ready.push(lane);
        continue;
      }
      lane.listed = false;
      const { batch, rest } = this.take(lane);
      lane.queue.splice(0, rest);
      if (batch.length === 0) continue;
      lane.underWay = true;
      this.statements += 1;
      const rows = rowsOf(batch);
      const seconds = of(this.costs[lane.kind].client, rows);
      this.work.push({ seconds, calls: 0, action: () => this.submit(lane, batch, rows) });
    }
  }

  private take({ queue }: Lane): { batch: Call[]; rest: number } {
    const batch: Call[] = [];
    let rest = 0;
    for (; rest < queue.length && batch.length < this.options.batchRows; rest++) {
      const call = queue[rest] as Call;
      if (!call.settled) batch.push(call);
    }
    return { batch, rest };
  }

  private submit(lane: Lane, batch: Call[], rows: number) {
    const costs = this.costs[lane.kind];
    const statement: Statement = {
      kind: lane.kind,
      rows,
      hot: lane.kind === "write" && batch.some(({ hot }) => hot),
      done: () => {
        if (this.isDead) return;
        const seconds = costs.answer * batch.length;
        this.add({ seconds, calls: batch.length, action: () => this.settle(lane, batch) });
      },
    };
    this.gate.compute(of(costs.gate, rows), "burst", () => lane.shard.submit(statement));
  }

  private settle(lane: Lane, batch: Call[]) {
    this.statements -= 1;
    lane.underWay = false;
    this.list(lane);
    for (const call of batch) this.answer(call, "done");
  }

  private answer(call: Call, outcome: Outcome) {
    if (call.settled) return;
    call.settled = true;
    this.calls -= 1;
    call.answered(outcome);
  }

  private tick() {
    if (this.isDead) return;
    const { now } = this.events;
    let passed = 0;
    for (; passed < this.arrivals.length && (this.arrivals[passed] as Call).deadline <= now; passed++) {
      this.answer(this.arrivals[passed] as Call, "unavailable");
    }
    this.arrivals = this.arrivals.slice(passed).filter(({ settled }) => !settled);
    this.events.at(now + TICK_SECONDS, () => this.tick());
  }
}

/** The key that everybody calls is in a statement once. */
function rowsOf(batch: Call[]): number {
  const hot = batch.reduce((count, call) => count + (call.hot ? 1 : 0), 0);
  return hot > 0 ? batch.length - hot + 1 : batch.length;
}
