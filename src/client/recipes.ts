// Recipes over the client's public calls: a lock that renews itself, and a cache that loads each value once.

import { KVError } from "./error.ts";
import type { Client, Json } from "./types.ts";

/** How often others look whether a lock is free, or a value is there, in milliseconds. */
const POLL_MS = 100;
/** Of the lock under which a value is loaded, which is renewed while the loader works. */
const LOADING_SECONDS = 10;

export interface LockOptions {
  /** Seconds after which the lock is free if its holder is gone; it is renewed three times as often. */
  ttl: number;
  /** How long to wait for a lock that another holds, in milliseconds; 0 unless given. */
  waitMs?: number;
  /** Gives up waiting. */
  signal?: AbortSignal;
}

export interface Lock extends AsyncDisposable {
  /** Aborts once the lock is lost or released: give it to whatever the lock protects. */
  readonly signal: AbortSignal;
  /** Gives the lock back; false where it was lost before. */
  release(): Promise<boolean>;
}

/**
 * Takes the lock `name`, a key of its own, and keeps it until it is released; null where another holds it.
 *
 * No lock over a network excludes a holder that was asleep while its time ran out: make what it protects conditional as
 * well, with `ifMatch`.
 */
export async function lock(
  client: Client,
  name: string,
  { ttl, waitMs = 0, signal }: LockOptions,
): Promise<Lock | null> {
  const ttlMs = Math.ceil(ttl * 1000);
  const token = String(crypto.getRandomValues(new Uint32Array(4)));
  const giveUpAt = performance.now() + waitMs;
  for (;;) {
    const askedAt = performance.now();
    const etag = await take();
    if (etag) return hold(client, name, etag, ttlMs, askedAt + ttlMs);
    if (performance.now() + POLL_MS > giveUpAt) return null;
    await pause();
    signal?.throwIfAborted();
  }

  async function take(): Promise<string | null> {
    try {
      return await client.put(name, token, { ttlMs, ifNoneMatch: "*", signal });
    } catch (error) {
      if (!(error instanceof KVError && error.outcomeUnknown)) throw error;
      const found = await client.getWithInfo(name, { signal });
      if (!found) throw error;
      return found.value === token ? found.etag : null;
    }
  }
}

function hold(client: Client, name: string, etag: string, ttlMs: number, until: number): Lock {
  const lost = new AbortController();
  const everyMs = ttlMs / 3;
  let end = timer(() => lost.abort(), until - performance.now());
  let next = timer(renew, everyMs);

  async function renew() {
    const askedAt = performance.now();
    try {
      const held = await client.expire(name, { ttlMs, ifMatch: etag, signal: AbortSignal.timeout(everyMs) });
      if (lost.signal.aborted) return;
      if (!held) lost.abort();
      clearTimeout(end);
      end = timer(() => lost.abort(), askedAt + ttlMs - performance.now());
    } catch {
      // Tried again as long as the lock is surely held.
    }
    if (!lost.signal.aborted) next = timer(renew, everyMs);
  }

  function release(): Promise<boolean> {
    clearTimeout(next);
    clearTimeout(end);
    lost.abort();
    return client.delete(name, { ifMatch: etag });
  }

  return {
    signal: lost.signal,
    release,
    async [Symbol.asyncDispose]() {
      await release();
    },
  };
}

/** By client, what is being loaded. */
const loading = new WeakMap<Client, Map<string, Promise<unknown>>>();

/**
 * The document at `key`; where there is none, what `load` gives, which is then kept for `ttl` seconds. One caller loads
 * and all others wait for it: those of this process share its promise, other processes wait for the lock `key:loading`.
 * If `load` fails, so do those that share it, and the next caller tries.
 */
export function getOrSet<T = Json>(
  client: Client,
  key: string,
  ttl: number,
  load: (signal: AbortSignal) => T | Promise<T>,
): Promise<T> {
  const byKey = loading.get(client) ?? new Map<string, Promise<unknown>>();
  loading.set(client, byKey);
  let shared = byKey.get(key) as Promise<T> | undefined;
  if (!shared) {
    shared = findOrLoad(client, key, ttl, load).finally(() => byKey.delete(key));
    byKey.set(key, shared);
  }
  return shared;
}

async function findOrLoad<T>(
  client: Client,
  key: string,
  ttl: number,
  load: (signal: AbortSignal) => T | Promise<T>,
): Promise<T> {
  const find = () => client.getWithInfo<T>(key, { type: "json" });
  for (;;) {
    const found = await find();
    if (found) return found.value;
    const held = await lock(client, `${key}:loading`, { ttl: LOADING_SECONDS });
    if (!held) {
      await pause();
      continue;
    }
    try {
      // Another may have loaded it since.
      const late = await find();
      if (late) return late.value;
      const value = await load(held.signal);
      await client.putJson(key, value, { ttl });
      return value;
    } finally {
      await held.release();
    }
  }
}

/** At random, so that those who wait do not all ask at once. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, POLL_MS * (0.5 + Math.random())));
}

/** Keeps no process alive: a lock whose holder ends runs out. */
function timer(run: () => void, ms: number): ReturnType<typeof setTimeout> {
  const started = setTimeout(run, ms);
  // A number in browsers.
  (started as { unref?: () => void }).unref?.();
  return started;
}
