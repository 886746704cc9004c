// Calls on one key in the order of their arrival, except where they may go together.

interface Waiting {
  kind: string;
  start: () => void;
}

interface Line {
  kind: string;
  active: number;
  waiting: Waiting[];
}

/** Runs work on a key after all earlier work of another kind on it has ended. Kinds in `together` don't wait for their own. */
export class KeyOrder {
  private readonly lines = new Map<string, Line>();

  constructor(private readonly together: Set<string>) {}

  run(key: string, kind: string, work: () => Promise<void>) {
    const line = this.lines.get(key);
    if (!line) {
      this.lines.set(key, { kind, active: 1, waiting: [] });
      this.start(key, work);
    } else if (line.waiting.length === 0 && line.kind === kind && this.together.has(kind)) {
      line.active += 1;
      this.start(key, work);
    } else {
      line.waiting.push({ kind, start: () => this.start(key, work) });
    }
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
    if (line.active > 0) return;
    const next = line.waiting.shift();
    if (!next) {
      this.lines.delete(key);
      return;
    }
    const group = [next];
    while (this.together.has(next.kind) && line.waiting[0]?.kind === next.kind) {
      group.push(line.waiting.shift() as Waiting);
    }
    line.kind = next.kind;
    line.active = group.length;
    for (const { start } of group) start();
  }
}
