// A modest stream of calls to a server, each with the one answer that it must have: a key has one client, which makes
// one call after the other and so knows what the key holds.

import { setTimeout as sleep } from "node:timers/promises";

const CLIENTS = 8;
const KEYS_PER_CLIENT = 40;
const PAUSE_MS = 20;
const SHORT_TTL_MS = 300;
/** What a loaded machine may take to send a call and to answer it. */
const LEEWAY_MS = 100;

interface Known {
  value: string;
  etag: string;
  ttl: boolean;
  /** Sent with a short TTL between these times by this process's clock, which is the database's too. */
  expires?: { from: number; to: number };
}

export class CheckedStream {
  calls = 0;
  slowestMs = 0;
  /** What must not have happened, one line each. */
  readonly complaints: string[] = [];
  private readonly known = new Map<string, Known>();
  private readonly end = new AbortController();
  private readonly clients: Promise<void>[];

  constructor(private readonly url: string) {
    this.clients = Array.from({ length: CLIENTS }, (_, client) => this.run(client));
  }

  /** Ends the stream, then checks every key once more; returns those that are live for good. */
  async stop(): Promise<string[]> {
    this.end.abort();
    await Promise.all(this.clients);
    await sleep(SHORT_TTL_MS + LEEWAY_MS);
    for (const key of Array.from({ length: CLIENTS * KEYS_PER_CLIENT }, (_, i) => nameOf(i))) await this.get(key);
    return [...this.known].filter(([, { expires }]) => !expires).map(([key]) => key);
  }

  private async run(client: number) {
    for (let n = 0; !this.end.signal.aborted; n++) {
      const key = nameOf(client * KEYS_PER_CLIENT + (n % KEYS_PER_CLIENT));
      const round = Math.floor(n / KEYS_PER_CLIENT);
      try {
        await this.step(key, (n + round) % 7, `${key} ${n}`);
        await this.get(key);
      } catch (error) {
        this.complaints.push(`${key}: ${error}`);
      }
      await sleep(PAUSE_MS);
    }
  }

  private async step(key: string, kind: number, value: string) {
    const before = this.known.get(key);
    if (kind < 3) {
      const { headers } = await this.call("PUT", key, { body: value }, [204]);
      this.known.set(key, { value, etag: headers.get("etag") ?? "", ttl: false });
    } else if (kind === 3) {
      const from = Date.now() + SHORT_TTL_MS;
      const { headers } = await this.call("PUT", `${key}?ttl_ms=${SHORT_TTL_MS}`, { body: value }, [204]);
      const expires = { from, to: Date.now() + SHORT_TTL_MS };
      this.known.set(key, { value, etag: headers.get("etag") ?? "", ttl: true, expires });
    } else if (kind === 4) {
      await this.call("DELETE", key, {}, [204]);
      this.known.delete(key);
    } else if (before && !before.expires) {
      if (kind === 5) {
        await this.call("PUT", `${key}/ttl`, { body: '{"ttl":3600}' }, [200]);
        before.ttl = true;
      } else {
        const { headers } = await this.call("PUT", key, { body: value, headers: { "If-Match": before.etag } }, [204]);
        this.known.set(key, { value, etag: headers.get("etag") ?? "", ttl: false });
      }
    }
  }

  /** Reads a key and compares. */
  private async get(key: string) {
    const known = this.known.get(key);
    const begun = Date.now();
    const answer = await this.call("GET", key, {}, [200, 404]);
    const body = answer.status === 200 ? await answer.text() : undefined;
    const gone = !known || (known.expires && begun > known.expires.to + LEEWAY_MS);
    const mayBeGone = gone || (known.expires && Date.now() > known.expires.from - LEEWAY_MS);
    if (gone && body !== undefined) this.complaints.push(`${key} should be gone and holds ${body}`);
    if (!mayBeGone && body === undefined) this.complaints.push(`${key} is lost: ${known?.value}`);
    if (body === undefined || gone) return;
    if (body !== known.value) this.complaints.push(`${key} holds ${body} instead of ${known.value}`);
    if (answer.headers.get("etag") !== known.etag) this.complaints.push(`${key} has another version`);
    if (answer.headers.has("kv-expires-at") !== known.ttl) this.complaints.push(`${key}: its TTL is wrong`);
  }

  private async call(method: string, path: string, init: RequestInit, expected: number[]): Promise<Response> {
    const begun = performance.now();
    const answer = await fetch(`${this.url}/v1/kv/stream/${path}`, { method, ...init });
    this.calls += 1;
    this.slowestMs = Math.max(this.slowestMs, performance.now() - begun);
    if (!expected.includes(answer.status)) throw new Error(`${method}: ${answer.status} ${await answer.text()}`);
    return answer;
  }
}

function nameOf(number: number): string {
  return `key-${number}`;
}
