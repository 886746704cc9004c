// For tests of the client and of the command line: the real app over the model store, as a `fetch`.

import pino from "pino";
import { createApp } from "../../app.ts";
import { newToken, type Right, Tokens } from "../../auth/tokens.ts";
import { ModelStore } from "../../store/model.ts";

export const NAMESPACE = "test";

export interface ModelServer {
  /** As `fetch`, but in process. */
  fetch: (url: string, init?: RequestInit) => Promise<Response>;
  /** The same, for a server over sockets. */
  answer: (request: Request) => Promise<Response>;
  store: ModelStore;
  /** Of every request, in order: method and path with the query. */
  requests: string[];
  /** A test may answer in the server's place, or throw; undefined lets the request through. */
  intercept: ((request: Request) => Promise<Response | undefined> | Response | undefined) | undefined;
  /** For `NAMESPACE`. */
  token: string;
}

/** `clock` is the store's, in epoch milliseconds. With `rights` only its own token is let in, and may do only that. */
export function modelServer({
  clock = Date.now,
  rights,
}: {
  clock?: () => number;
  rights?: Right[];
} = {}): ModelServer {
  const store = new ModelStore(clock);
  const { token, entry } = newToken(rights ?? ["read", "write"], NAMESPACE);
  const tokens = new Tokens([{ name: "test", text: entry }]);
  const requests: string[] = [];
  const app = createApp(store, {
    ...{ maxValueBytes: 1024 * 1024, bodyTimeoutMs: 10_000, log: pino({ level: "silent" }) },
    ...{ isDraining: () => false, isFull: () => false, tokens: rights && (() => tokens) },
    metrics: async () => `# TYPE kv_calls_total counter\nkv_calls_total{op="get"} ${requests.length}\n`,
  });
  const server: ModelServer = {
    ...{ store, requests, token, intercept: undefined },
    async fetch(url, init) {
      init?.signal?.throwIfAborted();
      const gone = new Promise<never>((_, reject) => {
        init?.signal?.addEventListener("abort", () => reject(init.signal?.reason));
      });
      return Promise.race([server.answer(new Request(url, init)), gone]);
    },
    async answer(request) {
      const { pathname, search } = new URL(request.url);
      requests.push(`${request.method} ${pathname}${search}`);
      return (await server.intercept?.(request)) ?? app.fetch(request);
    },
  };
  return server;
}
