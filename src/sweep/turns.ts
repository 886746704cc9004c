// One thing at a time for those who share something.

export class Turns {
  private readonly last = new Map<string, Promise<void>>();

  /** Does `work` when everybody has ended who asked before for a turn of the same name. */
  async take<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.last.get(name);
    const turn = Promise.withResolvers<void>();
    this.last.set(name, turn.promise);
    await before;
    try {
      return await work();
    } finally {
      turn.resolve();
      if (this.last.get(name) === turn.promise) this.last.delete(name);
    }
  }
}
