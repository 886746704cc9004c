// Some cores, shared evenly by those who compute at a time, each of which can use one core at most.

import type { Events } from "./events.ts";

interface Task {
  /** Of the clock that shows how much each task has had. */
  doneAt: number;
  action: () => void;
}

export class Processor {
  /** Seconds of a core that were used. */
  busySeconds = 0;
  /** Latest first, so that the next to end is the last of the list: there are few at a time. */
  private readonly tasks: Task[] = [];
  private clock = 0;
  /** Of a core, for each of the tasks. */
  private rate = 0;
  private updatedAt = 0;
  /** When the next task ends, if none begins before. */
  private dueAt = Number.POSITIVE_INFINITY;

  constructor(
    private readonly events: Events,
    private cores: number,
  ) {}

  /** How many compute, for each core. */
  get load(): number {
    return this.tasks.length / this.cores;
  }

  /** Calls the action when somebody has had so many seconds of a core. */
  compute(seconds: number, action: () => void) {
    this.update();
    const { tasks } = this;
    const task = { doneAt: this.clock + seconds, action };
    let place = tasks.length;
    tasks.push(task);
    for (; place > 0 && (tasks[place - 1] as Task).doneAt <= task.doneAt; place--) {
      tasks[place] = tasks[place - 1] as Task;
    }
    tasks[place] = task;
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
    this.clock += seconds * this.rate;
    this.busySeconds += seconds * this.rate * this.tasks.length;
  }

  private share() {
    const next = this.tasks.at(-1);
    if (!next) return;
    this.rate = Math.min(1, this.cores / this.tasks.length);
    const dueAt = this.events.now + Math.max(0, next.doneAt - this.clock) / this.rate;
    this.dueAt = dueAt;
    this.events.at(dueAt, () => {
      // Others have come since, and another event is due.
      if (this.dueAt === dueAt) this.finish();
    });
  }

  private finish() {
    this.update();
    const { action } = this.tasks.pop() as Task;
    this.dueAt = Number.POSITIVE_INFINITY;
    this.share();
    action();
  }
}
