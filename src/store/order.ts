// Calls on one key in the order of their arrival, except where they may go together.

/** A call as far as its order is concerned. */
interface Ordered {
  readonly settled: boolean;
  onSettled: () => void;
}

interface Waiting {
  kind: string;
  call: Ordered;
  start: () => void;
}

interface Line {
  /** The kind that is under way. */
  kind: string;
  active: number;
  waiting: Waiting[];
}

const NONE: Waiting[] = [];

/** Starts calls on a key after all earlier ones of another kind on it are settled. */
export class KeyOrder {
  private readonly lines = new Map<string, Line>();

  /** `together` says how many calls of a kind may be under way at once on one key. */
  constructor(private readonly together: (kind: string) => number) {}

  /** Calls `start` when it is the call's turn; never if the call is settled by then, by its deadline. */
  run(key: string, kind: string, call: Ordered, start: () => void) {
    const line = this.lines.get(key);
    if (!line) {
      this.lines.set(key, { kind, active: 1, waiting: NONE });
      this.start(key, call, start);
    } else if (line.waiting.length === 0 && this.mayJoin(line, kind)) {
      line.active += 1;
      this.start(key, call, start);
    } else {
      if (line.waiting === NONE) line.waiting = [];
      line.waiting.push({ kind, call, start });
    }
  }

  private mayJoin(line: Line, kind: string): boolean {
    return line.active === 0 || (line.kind === kind && line.active < this.together(kind));
  }

  private start(key: string, call: Ordered, start: () => void) {
    call.onSettled = () => this.end(key);
    start();
  }

  private end(key: string) {
    const line = this.lines.get(key) as Line;
    line.active -= 1;
    for (let next = line.waiting[0]; next; next = line.waiting[0]) {
      if (!next.call.settled && !this.mayJoin(line, next.kind)) break;
      line.waiting.shift();
      if (next.call.settled) continue;
      line.kind = next.kind;
      line.active += 1;
      this.start(key, next.call, next.start);
    }
    if (line.active === 0) this.lines.delete(key);
  }
}
