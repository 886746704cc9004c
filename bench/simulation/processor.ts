// Some cores, shared by those who compute at a time, each of which can use one core at most.
//
// Threads in short bursts, as those of the database's servers are, have slept before and are let run sooner than one that
// is always busy, such as a server's: a Linux scheduler's fairness is over time. So there are two classes, and within each
// everybody has the same share.

import type { Events } from "./events.ts";

/** `burst` is the database, `steady` a thread with a queue before it. */
export type Pattern = "burst" | "steady";

interface Task {
  /** Of its class's clock, which shows how much each task in it has had. */
  doneAt: number;
  action: () => void;
}

class TaskClass {
  /** Latest first, so that the next to end is the last of the list: there are few at a time. */
  readonly tasks: Task[] = [];
  clock = 0;
  /** Of a core, for each of the tasks. */
  rate = 0;

  add(seconds: number, action: () => void) {
    const task = { doneAt: this.clock + seconds, action };
    let place = this.tasks.length;
    this.tasks.push(task);
    for (; place > 0 && (this.tasks[place - 1] as Task).doneAt <= task.doneAt; place--) {
      this.tasks[place] = this.tasks[place - 1] as Task;
    }
    this.tasks[place] = task;
  }

  /** Seconds until its next task ends, as things are. */
  get nextIn(): number {
    const next = this.tasks.at(-1);
    if (!next || this.rate === 0) return Number.POSITIVE_INFINITY;
    return Math.max(0, next.doneAt - this.clock) / this.rate;
  }
}

/** How much more of the cores a burst has than a steady thread, if both want all. */
const BURST_WEIGHT = 1.5;

export class Processor {
  /** Seconds of a core that were used. */
  busySeconds = 0;
  private readonly classes = { burst: new TaskClass(), steady: new TaskClass() };
  private updatedAt = 0;
  /** When the next task ends, if none begins before. */
  private dueAt = Number.POSITIVE_INFINITY;

  constructor(
    private readonly events: Events,
    private cores: number,
  ) {}

  /** How many compute, for each core. */
  get load(): number {
    return (this.classes.burst.tasks.length + this.classes.steady.tasks.length) / this.cores;
  }

  /** Calls the action when somebody has had so many seconds of a core. */
  compute(seconds: number, pattern: Pattern, action: () => void) {
    this.update();
    this.classes[pattern].add(seconds, action);
    this.share();
  }

  /** From now on only a part of the cores is there. */
  lose(share: number) {
    this.update();
    this.cores *= 1 - share;
    this.share();
  }

  private update() {
    const seconds = this.events.now - this.updatedAt;
    this.updatedAt = this.events.now;
    for (const each of [this.classes.burst, this.classes.steady]) {
      each.clock += seconds * each.rate;
      this.busySeconds += seconds * each.rate * each.tasks.length;
    }
  }

  private share() {
    const { burst, steady } = this.classes;
    const [bursts, steadies] = [burst.tasks.length, steady.tasks.length];
    const wanted = (this.cores * BURST_WEIGHT * bursts) / Math.max(1, BURST_WEIGHT * bursts + steadies);
    // What one class can't use the other has.
    const ofBursts = Math.min(bursts, Math.max(wanted, this.cores - steadies));
    const ofSteadies = Math.min(steadies, this.cores - ofBursts);
    burst.rate = bursts > 0 ? ofBursts / bursts : 0;
    steady.rate = steadies > 0 ? ofSteadies / steadies : 0;
    const nextIn = Math.min(burst.nextIn, steady.nextIn);
    if (nextIn === Number.POSITIVE_INFINITY) return;
    const dueAt = this.events.now + nextIn;
    this.dueAt = dueAt;
    this.events.at(dueAt, () => {
      // Others have come since, and another event is due.
      if (this.dueAt === dueAt) this.finish();
    });
  }

  private finish() {
    this.update();
    const { burst, steady } = this.classes;
    const { tasks } = burst.nextIn <= steady.nextIn ? burst : steady;
    const { action } = tasks.pop() as Task;
    this.dueAt = Number.POSITIVE_INFINITY;
    this.share();
    action();
  }
}
