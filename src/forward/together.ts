// Usual requests, which go together: those that come while others are under way become one, by the client's batches.

import { createClient } from "../client/client.ts";
import { KVError } from "../client/error.ts";
import type { Client } from "../client/types.ts";
import { Problem, problemAnswer, problemOf } from "../http/problem.ts";
import { StoreError, type StoreErrorCode } from "../store/error.ts";
import { lost } from "./alone.ts";
import type { Slices } from "./slices.ts";
import { usual } from "./usual.ts";

/** Of one namespace and token at one slice. While they are under way, calls gather for the next. */
const REQUESTS = 4;
/** Namespaces and tokens at a time: the one that was first used is forgotten. */
const CLIENTS = 1_000;
/** Beyond what a request may take, for the invocation of a Worker that waits for another's. */
const SLACK_MS = 1_000;
/** What a server says of itself, and not of the request. */
const OF_STORE = /^(unavailable|overloaded|outcome_unknown)$/;

export class Together {
  private readonly clients = new Map<string, Client>();

  constructor(
    private readonly slices: Slices,
    private readonly timeoutMs: number,
    /** Keeps the invocation alive that is at work. */
    private readonly waitUntil: ((work: Promise<unknown>) => void) | undefined,
  ) {}

  /** Undefined where the request has to go alone: nothing was changed for it. Throws a StoreError where no answer came. */
  async answer(request: Request, body: Buffer | undefined): Promise<Response | undefined> {
    const found = usual(request, body);
    if (!found) return undefined;
    const [url = ""] = this.slices.urlsFor(request);
    const client = this.clientOf(url, found.namespace, found.token);
    try {
      return await inTime(found.ask(client), this.timeoutMs + SLACK_MS, request.method);
    } catch (error) {
      if (!(error instanceof KVError)) throw error;
      const { status, code, outcomeUnknown } = error;
      // Refused, and a batch says less of why.
      if (status >= 400 && status < 500) return undefined;
      // Not sent, or to read only: another slice may do it.
      if (code === "unreachable" || (code === "network" && !outcomeUnknown)) return undefined;
      // Of any other fault it is not known whether it came before a write or after it.
      if (code === "internal") return problemAnswer(request, new Problem("internal"));
      if (OF_STORE.test(code)) return problemAnswer(request, problemOf(new StoreError(code as StoreErrorCode, code)));
      throw lost(error);
    }
  }

  private clientOf(url: string, namespace: string, token: string | undefined): Client {
    const name = `${url} ${namespace} ${token ?? ""}`;
    const known = this.clients.get(name);
    if (known) return known;
    const { timeoutMs } = this;
    const client = createClient({
      ...{ url, namespace, token, timeoutMs, retries: 0, maxRequests: REQUESTS },
      fetch: (input, init) => this.fetch(input, init as RequestInit & { signal: AbortSignal }),
    });
    if (this.clients.size >= CLIENTS) this.clients.delete(this.clients.keys().next().value as string);
    this.clients.set(name, client);
    return client;
  }

  /**
   * On Workers a request ends with the invocation that sends it, which may be over earlier than those of others for whom it
   * was sent too: when it has its own answer, or its client has gone.
   */
  private fetch(input: Parameters<typeof fetch>[0], init: RequestInit & { signal: AbortSignal }): Promise<Response> {
    // That is when the client has settled all calls of the request, or given them up.
    const over = new Promise((resolve) => init.signal.addEventListener("abort", resolve, { once: true }));
    this.waitUntil?.(over);
    return fetch(input, init);
  }
}

/**
 * By a timer of this request: a Worker's invocation that waits for nothing of its own is taken for one that hangs, and
 * what it waits for may have been another's that has ended.
 */
function inTime<T>(call: Promise<T>, timeoutMs: number, method: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const isWrite = method === "PUT" || method === "DELETE";
    const timer = setTimeout(() => reject(new KVError("timeout", "No answer came.", 0, isWrite)), timeoutMs);
    call.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}
