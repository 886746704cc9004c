// What tests of Cloudflare's REST API use: calls of it, over a model store that is new for each test.

import { beforeEach, expect } from "bun:test";
import pino from "pino";
import { ModelStore } from "../../store/model.ts";
import { entryKey } from "../../store/store.ts";

export const MAX_VALUE_BYTES = 4_096;
export const ROOT = "/client/v4/accounts/any/storage/kv/namespaces";

export const on = {
  store: new ModelStore(),
  /** In place of a write, where a test has put one. */
  failing: undefined as Error | undefined,
};
export const late = new Proxy({} as ModelStore, {
  get: (_, name: keyof ModelStore) =>
    name === "put" && on.failing ? () => Promise.reject(on.failing) : (on.store[name] as () => void).bind(on.store),
});

export function renewStore() {
  beforeEach(() => {
    on.store = new ModelStore(() => Date.now());
    on.failing = undefined;
  });
}

export const options = {
  ...{ maxValueBytes: MAX_VALUE_BYTES, bodyTimeoutMs: 1_000, log: pino({ level: "silent" }) },
  ...{ isDraining: () => false, isFull: () => false },
};

interface App {
  fetch: (request: Request) => Response | Promise<Response>;
}

/** Makes what calls an app, unless it is given another one. */
export function callerOf(open: App) {
  return async (method: string, path: string, body?: RequestInit["body"] | object, headers = {}, app = open) => {
    const isDocument = typeof body === "object" && !(body instanceof FormData) && !Buffer.isBuffer(body);
    const sent = isDocument ? JSON.stringify(body) : (body as RequestInit["body"]);
    const answer = await app.fetch(new Request(`http://kv${path}`, { method, body: sent, headers }));
    const text = await answer.text();
    const isEnvelope = answer.headers.get("Content-Type") === "application/json";
    const { success, errors, result, result_info } = isEnvelope ? JSON.parse(text) : {};
    if (isEnvelope) expect(success).toBe(answer.status === 200);
    return {
      status: answer.status,
      headers: answer.headers,
      text,
      code: errors?.[0]?.code,
      errors,
      result,
      result_info,
    };
  };
}

export const value = (key: string) => `${ROOT}/ns/values/${encodeURIComponent(key)}`;
export const stored = (key: string) =>
  on.store.entry(entryKey("ns", Buffer.from(key).toString("latin1")).toString("latin1"));
export const form = (fields: Record<string, string | Blob>) => {
  const made = new FormData();
  for (const [name, field] of Object.entries(fields)) made.append(name, field);
  return made;
};
