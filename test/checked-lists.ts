// Listings of keys that stay, again and again, among keys that come and go: each of those that stay is in each listing
// exactly once.

import { call } from "./targets.ts";

const STAYING = 300;
const PAGE = 37;

export class CheckedLists {
  listings = 0;
  /** What must not have happened, one line each. */
  readonly complaints: string[] = [];
  private isOver = false;
  private work: Promise<unknown>;

  constructor(private readonly url: string) {
    this.work = this.begin();
  }

  async stop() {
    this.isOver = true;
    await this.work;
  }

  private async begin() {
    const names = Array.from({ length: STAYING }, (_, i) => `stays-${String(i).padStart(3, "0")}`);
    await Promise.all(names.map((name) => this.put(name)));
    await Promise.all([this.list(names, "order=key"), this.list(names, "order=any"), this.comeAndGo()]);
  }

  private put(name: string) {
    return call(`${this.url}/v1/kv/lists/${name}`, { method: "PUT", body: "v" });
  }

  private async list(names: string[], order: string) {
    while (!this.isOver) {
      const found: string[] = [];
      let cursor: string | null = "";
      while (cursor !== null) {
        const answer = await call(`${this.url}/v1/kv/lists?${order}&limit=${PAGE}${cursor && `&cursor=${cursor}`}`);
        const page = (await answer.json()) as { entries: { key: string }[]; cursor: string | null; code?: string };
        if (answer.status !== 200) {
          this.complaints.push(`${order}: ${page.code}`);
          break;
        }
        found.push(...page.entries.map(({ key }) => key));
        cursor = page.cursor;
      }
      const stayed = found.filter((key) => key.startsWith("stays")).toSorted();
      if (cursor === null && !Bun.deepEquals(stayed, names))
        this.complaints.push(`${order}: ${this.difference(stayed, names)}`);
      this.listings += 1;
    }
  }

  private difference(found: string[], names: string[]): string {
    const missing = names.filter((name) => !found.includes(name));
    return `${found.length - new Set(found).size} keys twice, ${missing.length} missing, such as ${missing[0]}`;
  }

  private async comeAndGo() {
    for (let i = 0; !this.isOver; i++) {
      const name = `comes-${i % 50}`;
      await this.put(name);
      await call(`${this.url}/v1/kv/lists/${name}`, { method: "DELETE" });
    }
  }
}
