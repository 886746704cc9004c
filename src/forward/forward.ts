// An edge: answers requests with what servers far away answer, which are asked for many at once where they can be. It holds
// nothing, no token either: whom to let in, and all else, is decided there.

import { receive } from "../http/body.ts";
import { ENTRIES_PATH, rawPath } from "../http/path.ts";
import { Problem, problemAnswer, problemOf } from "../http/problem.ts";
import { requireExactPath, requireHost, requireUnrepairedPath, type SentParts } from "../http/target.ts";
import { BATCH_BODY_BYTES } from "../limits.ts";
import { StoreError } from "../store/error.ts";
import { forwardAlone } from "./alone.ts";
import { Slices } from "./slices.ts";
import { Together } from "./together.ts";

export interface ForwardOptions {
  /** Where the servers are: a URL for each slice, in the order of their shards. */
  urls: string[];
  /** xxHash64 with seed 0. */
  hash: (key: Uint8Array) => bigint;
  /** How long an answer may take to come. */
  timeoutMs: number;
  /** How long a body may take to arrive. */
  bodyTimeoutMs: number;
  /** On Workers: keeps the invocation alive that is at work, until the promise settles. */
  waitUntil?: (work: Promise<unknown>) => void;
  /** As the app has them. */
  partsOf?: (request: Request) => SentParts | undefined;
  urlsAsSent?: boolean;
}

/** What answers every request. */
export interface Forwarder {
  fetch: (request: Request) => Promise<Response>;
}

const SENT_FRAGMENT = new Problem("invalid_key", "A '#' in a key must be sent as %23.");

export function createForwarder({
  urls,
  hash,
  timeoutMs,
  bodyTimeoutMs,
  waitUntil,
  partsOf,
  urlsAsSent,
}: ForwardOptions): Forwarder {
  const slices = new Slices(urls, hash);
  const together = new Together(slices, timeoutMs, waitUntil);

  /** The body is held in memory: it may have to be sent to another server, or in a batch. */
  function bodyOf(request: Request): Promise<Buffer> | undefined {
    if (!request.body) return undefined;
    const isEntry = request.method === "PUT" && rawPath(request).startsWith(ENTRIES_PATH);
    const tooLarge = new Problem(isEntry ? "value_too_large" : "body_too_large");
    return receive(request, { maxBytes: BATCH_BODY_BYTES, tooLarge, timeoutMs: bodyTimeoutMs }, (body) => body);
  }

  async function forward(request: Request): Promise<Response> {
    requireHost(request, false);
    if (request.url.includes("#")) throw SENT_FRAGMENT;
    if (partsOf) requireExactPath(request, partsOf(request));
    else if (!urlsAsSent) requireUnrepairedPath(request);
    const body = await bodyOf(request);
    const shared = await together.answer(request, body);
    if (shared) return shared;
    return forwardAlone(request, body, slices.urlsFor(request), timeoutMs);
  }

  return {
    fetch: async (request) => {
      try {
        return await forward(request);
      } catch (error) {
        if (error instanceof Problem) return problemAnswer(request, error);
        if (error instanceof StoreError) return problemAnswer(request, problemOf(error));
        throw error;
      }
    },
  };
}
