// What happens next: a binary heap of times in a typed array, with what is to be done then beside it.

const FIRST_CAPACITY = 1024;

export class Events {
  /** In seconds. */
  now = 0;
  private times = new Float64Array(FIRST_CAPACITY);
  private readonly actions: (() => void)[] = [];
  private size = 0;

  /** At the present time or later. */
  at(time: number, action: () => void) {
    if (this.size === this.times.length) {
      const larger = new Float64Array(2 * this.size);
      larger.set(this.times);
      this.times = larger;
    }
    let hole = this.size++;
    for (;;) {
      const parent = (hole - 1) >> 1;
      if (hole === 0 || (this.times[parent] as number) <= time) break;
      this.move(parent, hole);
      hole = parent;
    }
    this.times[hole] = time;
    this.actions[hole] = action;
  }

  /** Does one thing after the other, until the time has come. */
  run(until: number) {
    while (this.size > 0 && (this.times[0] as number) <= until) {
      this.now = this.times[0] as number;
      const action = this.actions[0] as () => void;
      this.removeFirst();
      action();
    }
    this.now = until;
  }

  private removeFirst() {
    const time = this.times[--this.size] as number;
    const action = this.actions[this.size] as () => void;
    this.actions.length = this.size;
    if (this.size === 0) return;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= this.size) break;
      if (child + 1 < this.size && (this.times[child + 1] as number) < (this.times[child] as number)) child += 1;
      if ((this.times[child] as number) >= time) break;
      this.move(child, hole);
      hole = child;
    }
    this.times[hole] = time;
    this.actions[hole] = action;
  }

  private move(from: number, to: number) {
    this.times[to] = this.times[from] as number;
    this.actions[to] = this.actions[from] as () => void;
  }
}
