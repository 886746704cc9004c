// Sends calls, alone or as a batch, and sends them again as long as that can do no harm.

import type { Call, Result, Sending } from "./call.ts";
import { textOf } from "./encoding.ts";
import { KVError } from "./error.ts";
import { failureOf } from "./failure.ts";
import { onAbort } from "./signals.ts";
import type { ClientOptions } from "./types.ts";

/** The least that is waited before a call is sent again; twice as long before each further time. */
const BACKOFF_MS = 50;
/** Nothing was changed: by the server's own word, or because there was no connection. */
const UNCHANGED = /^(unavailable|overloaded|unreachable)$/;
/** Of a read whose value did not fit the answer any more, in which at least the first one does. */
const LEFT_OVER = "answer_too_large";
/** Answers, not failures. */
const NEGATIVE = /^(not_found|precondition_failed)$/;
const BAD_ANSWER = { code: "bad_answer", detail: "The answer is not one of this store's." };

/** Gives a function that sends calls in one request, in their order, and settles each by itself. */
export function createTransport({
  url,
  namespace,
  token,
  fetch: send,
  timeoutMs = 15_000,
  retries = 3,
}: ClientOptions): (calls: Call[]) => Promise<unknown> {
  if (!/^[\w-]{1,64}$/.test(namespace)) throw new TypeError("A namespace is 1 to 64 letters, digits, '_' or '-'.");
  if (typeof token === "string" && /[^!-~]/.test(token)) throw new TypeError("A token is ASCII without white space.");
  const base = `${url.replace(/\/+$/, "")}/v1/kv/${namespace}`;
  const lateness = { code: "timeout", detail: `No answer came within ${timeoutMs} ms.` };
  let takesBatches = true;
  /** The one that was given last. */
  let bearer = typeof token === "string" ? token : undefined;

  async function exchange({ method, path, headers, body }: Sending, signal: AbortSignal) {
    const response = await (send ?? fetch)(base + path, {
      ...{ method, body, signal },
      headers: { ...headers, ...(bearer && { Authorization: `Bearer ${bearer}` }) },
    });
    const bytes = new Uint8Array(await response.arrayBuffer());
    const header = (name: string) => response.headers.get(name) ?? undefined;
    const { ok, status } = response;
    const retryAfterMs = Number(header("Retry-After")) * 1_000 || 0;
    return { ok, status, bytes, header, told: { status, request_id: header("X-Request-Id"), retryAfterMs } };
  }

  async function sendAlone(call: Call, signal: AbortSignal): Promise<Result> {
    const { ok, bytes, header, told } = await exchange(call, signal);
    const etag = header("ETag");
    if (!ok || !call.isValue) {
      // What answers a HEAD has no body to say so.
      const negative = call.method === "HEAD" && told.status === 404 && { code: "not_found" };
      return { etag, ...negative, ...documentOf(bytes, ok), ...told };
    }
    // Without a version it is a page of whatever stands in between.
    if (!etag) return { ...told, ...BAD_ANSWER };
    const metadata = header("KV-Metadata");
    return {
      ...{ ...told, etag, body: bytes },
      content_type: header("Content-Type"),
      metadata: metadata && JSON.parse(metadata),
      bytes: Number(header("Content-Length") ?? bytes.length),
      expires_at: header("KV-Expires-At"),
    };
  }

  /** Undefined where the server does not take them together. */
  async function sendTogether(calls: Call[], signal: AbortSignal): Promise<Result[] | undefined> {
    const { ok, status, bytes, told } = await exchange(
      {
        method: "POST",
        path: "",
        headers: { "Content-Type": "application/json" },
        body: `{"operations":[${calls.map(({ item }) => item).join()}]}`,
      },
      signal,
    );
    // A token for reading alone, or a server without batches.
    if (status > 402 && status < 406) takesBatches = false;
    // Perhaps because of one of them.
    const isRefused = status === 400 || status === 413;
    if (isRefused || !takesBatches) return undefined;
    const { results, ...problem } = documentOf(bytes, ok) as Partial<Result> & { results?: Result[] };
    return calls.map((_, index) => ({ ...told, ...(ok ? (results?.[index] ?? BAD_ANSWER) : problem) }));
  }

  /** Rejects when the time is over, before anything was sent. */
  function late(signal: AbortSignal): Promise<never> {
    const { code, detail } = lateness;
    return new Promise((_, reject) => {
      const give = () => reject(new KVError(code, detail));
      if (signal.aborted) give();
      else onAbort(signal, give);
    });
  }

  async function attempt(calls: Call[], signal: AbortSignal): Promise<Result[] | undefined> {
    try {
      return calls.length > 1 ? await sendTogether(calls, signal) : [await sendAlone(calls[0] as Call, signal)];
    } catch (error) {
      const result = { status: 0, ...(signal.aborted ? lateness : failureOf(error)) };
      return calls.map(() => result);
    }
  }

  /** Settles each call, or gives those that are to be sent again. */
  function judge(calls: Call[], results: Result[], mayRepeat: boolean): Call[] {
    const again: Call[] = [];
    /** Of later calls that are settled: what came before them can't come after them now. */
    const passed = new Set<string | undefined>();
    for (const [index, call] of [...calls.entries()].reverse()) {
      const result = results[index] as Result;
      const { status, code = `http_${status}`, detail = "The request failed.", request_id } = result;
      const isUnchanged = UNCHANGED.test(code);
      const isPassing = mayRepeat && (isUnchanged || (!call.isWrite && (code === "network" || status > 501)));
      const isLeftOver = code === LEFT_OVER && index > 0;
      if ((isPassing || isLeftOver) && !(call.key !== undefined && passed.has(call.key))) {
        again.unshift(call);
        continue;
      }
      passed.add(call.key);
      const isDone = status > 199 && status < 300 && !result.code;
      const isUnknown = call.isWrite && !isUnchanged && !(status > 399 && status < 500);
      if (isDone || NEGATIVE.test(code)) call.settle(result);
      else call.settle(undefined, new KVError(code, detail, status, isUnknown, request_id));
    }
    return again;
  }

  async function deliver(calls: Call[]): Promise<unknown> {
    if (calls.length > 1 && !takesBatches) return deliverApart(calls);
    const gone = new AbortController();
    const timer = setTimeout(() => gone.abort(), timeoutMs);
    const deadline = performance.now() + timeoutMs;
    let open = calls.length;
    for (const call of calls) {
      call.afterwards.push(() => {
        open--;
        if (open) return;
        // Nobody waits for the answer any more.
        clearTimeout(timer);
        gone.abort();
      });
    }
    for (let tries = 0; calls.length; tries++) {
      try {
        if (typeof token === "function") bearer = await Promise.race([token(), late(gone.signal)]);
      } catch (failure) {
        // Nothing was sent.
        for (const call of calls) call.settle(undefined, failure);
        return;
      }
      const results = await attempt(calls, gone.signal);
      if (!results) {
        clearTimeout(timer);
        return deliverApart(calls);
      }
      const waitMs = Math.max(...results.map(({ retryAfterMs = 0 }) => retryAfterMs), BACKOFF_MS * 2 ** tries);
      // Up to twice as long, so that callers who failed together do not come back together.
      const jitteredMs = waitMs * (1 + Math.random());
      calls = judge(calls, results, tries < retries && performance.now() + jitteredMs < deadline);
      if (results.some(({ code }) => code === LEFT_OVER)) {
        clearTimeout(timer);
        return calls.length ? deliver(calls) : undefined;
      }
      if (calls.length) await new Promise((resolve) => setTimeout(resolve, jitteredMs));
      calls = calls.filter(({ isOpen }) => isOpen);
    }
  }

  /** Each by itself, and those of one key one after the other. */
  function deliverApart(calls: Call[]): Promise<unknown> {
    const latest = new Map<string | undefined, Promise<unknown> | undefined>();
    for (const call of calls) {
      const before = latest.get(call.key);
      const deliverIt = () => (call.isOpen ? deliver([call]) : undefined);
      latest.set(call.key, before ? before.then(deliverIt) : deliverIt());
    }
    return Promise.all(latest.values());
  }

  return deliver;
}

/** An answer's document; `ok` is one that must be such. */
function documentOf(bytes: Uint8Array, ok: boolean): Partial<Result> {
  try {
    return bytes.length ? JSON.parse(textOf(bytes)) : {};
  } catch {
    return ok ? BAD_ANSWER : {};
  }
}
