// Listings of keys that stay, again and again, among keys that come and go: each of those that stay is in each listing
// exactly once. And deletions by prefix, after each of which nothing is left.

import { setTimeout as sleep } from "node:timers/promises";

const STAYING = 300;
const PAGE = 37;
const COMING = 50;
/** Keys of a deletion. */
const GOING = 40;
/** Between pages, and before one is asked for again. */
const PAUSE_MS = 20;
const TIMEOUT_MS = 30_000;

interface Page {
  entries: { key: string }[];
  cursor: string | null;
}

interface Deleted {
  deleted: number;
  cursor: string | null;
}

export interface CheckedListsOptions {
  /** Of the servers, of which one is asked while it answers. */
  urls: string[];
  /** One that nobody else uses. */
  namespace: string;
  /** Whether a call may fail in ways that pass. It is then made again. */
  mayFail?: boolean;
}

export class CheckedLists {
  listings = 0;
  deletions = 0;
  /** What must not have happened, one line each. */
  readonly complaints: string[] = [];
  private readonly urls: string[];
  private failures = 0;
  private isOver = false;
  private work: Promise<unknown>;

  constructor(private readonly options: CheckedListsOptions) {
    this.urls = options.urls.map((url) => `${url}/v1/kv/${options.namespace}`);
    this.work = this.begin();
  }

  async stop() {
    this.isOver = true;
    await this.work;
  }

  private async begin() {
    const names = Array.from({ length: STAYING }, (_, i) => `stays-${String(i).padStart(3, "0")}`);
    await Promise.all(names.map((name) => this.ask(`/${name}`, "PUT")));
    if (this.isOver) return;
    await Promise.all([this.list(names, "key"), this.list(names, "any"), this.comeAndGo(), this.deleteAway()]);
  }

  private async list(names: string[], order: string) {
    while (!this.isOver) {
      const found = await this.keysOf(`order=${order}`);
      if (!found) continue;
      const stayed = found.filter((key) => key.startsWith("stays")).toSorted();
      if (!Bun.deepEquals(stayed, names)) this.complaints.push(`order=${order}: ${difference(stayed, names)}`);
      this.listings += 1;
    }
  }

  private async comeAndGo() {
    for (let i = 0; !this.isOver; i++) {
      const path = `/comes-${i % COMING}`;
      await this.ask(path, "PUT");
      await this.ask(path, "DELETE");
    }
  }

  private async deleteAway() {
    for (let i = 0; !this.isOver; i++) {
      const before = this.failures;
      const prefix = `goes-${i}-`;
      await Promise.all(Array.from({ length: GOING }, (_, n) => this.ask(`/${prefix}${n}`, "PUT")));
      // A PUT that seemed to fail may yet happen, after the deletion.
      if (this.failures > before) continue;
      let deleted = 0;
      let page: Deleted | undefined;
      do {
        page = await this.ask<Deleted>(`?prefix=${prefix}${cursorIn(page)}`, "DELETE");
        deleted += page?.deleted ?? 0;
      } while (page?.cursor);
      const left = await this.keysOf(`prefix=${prefix}`);
      if (!page || !left) continue;
      const isCounted = this.failures > before ? deleted <= GOING : deleted === GOING;
      if (left.length > 0) this.complaints.push(`${left.length} of ${GOING} keys are left of a deletion by prefix`);
      if (!isCounted) this.complaints.push(`a deletion by prefix of ${GOING} keys says that they were ${deleted}`);
      this.deletions += 1;
    }
  }

  /** Of a whole listing; undefined where it could not be ended. */
  private async keysOf(query: string): Promise<string[] | undefined> {
    const found: string[] = [];
    let page: Page | undefined;
    do {
      page = await this.ask<Page>(`?${query}&limit=${PAGE}${cursorIn(page)}`, "GET");
      if (!page) return undefined;
      found.push(...page.entries.map(({ key }) => key));
      await sleep(PAUSE_MS);
    } while (page.cursor);
    return found;
  }

  /** A call's answer; undefined where there is none before the end, or one that must not be. */
  private async ask<T>(path: string, method: string): Promise<T | undefined> {
    for (;;) {
      const outcome = await this.attempt<T>(`${this.urls[0]}${path}`, method);
      if ("answer" in outcome) return outcome.answer;
      if (!this.options.mayFail || !outcome.passes) {
        this.complaints.push(`${method}: ${outcome.reason}`);
        return undefined;
      }
      this.failures += 1;
      this.urls.push(this.urls.shift() as string);
      if (this.isOver) return undefined;
      await sleep(PAUSE_MS);
    }
  }

  private async attempt<T>(url: string, method: string) {
    try {
      const body = method === "PUT" ? "v" : undefined;
      const answer = await fetch(url, { method, body, signal: AbortSignal.timeout(TIMEOUT_MS) });
      const text = await answer.text();
      if (answer.ok) return { answer: (text === "" ? {} : JSON.parse(text)) as T };
      return { passes: answer.status === 503, reason: `${answer.status} ${text}` };
    } catch (error) {
      return { passes: true, reason: String(error) };
    }
  }
}

function cursorIn(page: { cursor: string | null } | undefined): string {
  return page?.cursor ? `&cursor=${page.cursor}` : "";
}

function difference(found: string[], names: string[]): string {
  const missing = names.filter((name) => !found.includes(name));
  return `${found.length - new Set(found).size} keys twice, ${missing.length} missing, such as ${missing[0]}`;
}
