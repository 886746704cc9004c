// Calls on one key in the order of their arrival, except where they may go together.

interface Waiting {
  kind: string;
  start: () => void;
}

interface Line {
  /** The kind that is under way. */
  kind: string;
  active: number;
  waiting: Waiting[];
}

/** Runs work on a key after all earlier work of another kind on it has ended. */
export class KeyOrder {
  private readonly lines = new Map<string, Line>();

  /** `together` says how many calls of a kind may be under way at once on one key. */
  constructor(private readonly together: (kind: string) => number) {}

  run(key: string, kind: string, work: () => Promise<void>) {
    const line = this.lines.get(key);
    if (!line) {
      this.lines.set(key, { kind, active: 1, waiting: [] });
      this.start(key, work);
    } else if (line.waiting.length === 0 && this.mayJoin(line, kind)) {
      line.active += 1;
      this.start(key, work);
    } else {
      line.waiting.push({ kind, start: () => this.start(key, work) });
    }
  }

  private mayJoin(line: Line, kind: string): boolean {
    return line.active === 0 || (line.kind === kind && line.active < this.together(kind));
  }

  private start(key: string, work: () => Promise<void>) {
    work().then(
      () => this.end(key),
      () => this.end(key),
    );
  }

  private end(key: string) {
    const line = this.lines.get(key) as Line;
    line.active -= 1;
    for (let next = line.waiting[0]; next && this.mayJoin(line, next.kind); next = line.waiting[0]) {
      line.waiting.shift();
      line.kind = next.kind;
      line.active += 1;
      next.start();
    }
    if (line.active === 0) this.lines.delete(key);
  }
}
