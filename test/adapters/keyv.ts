// A store for Keyv over the client, as an application would write it.

import { EventEmitter } from "node:events";
import type { KeyvStoreAdapter } from "keyv";
import type { Client } from "../../src/client/index.ts";

export class KeyvStore extends EventEmitter implements KeyvStoreAdapter {
  /** Keyv sets it, and puts it with a colon before every key. */
  namespace?: string;
  /** Keyv walks only through stores whose dialect it knows. */
  readonly opts: Record<string, unknown> = { dialect: "mysql" };

  constructor(private readonly client: Client) {
    super();
  }

  async get<V>(key: string): Promise<V | undefined> {
    return ((await this.client.get(key)) ?? undefined) as V | undefined;
  }

  getMany<V>(keys: string[]): Promise<(V | undefined)[]> {
    return Promise.all(keys.map((key) => this.get<V>(key)));
  }

  /** `ttl` is in milliseconds. */
  async set(key: string, value: string, ttl?: number): Promise<void> {
    await this.client.put(key, value, { ttlMs: ttl && Math.ceil(ttl) });
  }

  async setMany(entries: { key: string; value: string; ttl?: number }[]): Promise<void> {
    await Promise.all(entries.map(({ key, value, ttl }) => this.set(key, value, ttl)));
  }

  delete(key: string): Promise<boolean> {
    return this.client.delete(key, { ifMatch: "*" });
  }

  async deleteMany(keys: string[]): Promise<boolean> {
    return (await Promise.all(keys.map((key) => this.delete(key)))).includes(true);
  }

  async clear(): Promise<void> {
    for await (const _ of this.client.deletePrefix(this.namespace ? `${this.namespace}:` : ""));
  }

  async has(key: string): Promise<boolean> {
    return (await this.client.head(key)) !== null;
  }

  async *iterator<V>(namespace?: string): AsyncGenerator<[string, V], void> {
    const prefix = namespace && `${namespace}:`;
    for await (const { key, value } of this.client.list({ prefix, include: ["value"] })) {
      yield [key as string, new TextDecoder().decode(value) as V];
    }
  }
}
