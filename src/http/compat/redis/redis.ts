// Redis commands over REST as Upstash has them, at /redis/{ns}: what comes in, who may, and what goes out.

import { BATCH_BODY_BYTES, NAMESPACE_PATTERN } from "../../../limits.ts";
import type { Store } from "../../../store/store.ts";
import { newVersion } from "../../../store/version.ts";
import { answer } from "../../answer.ts";
import { bearerToken, type Claims } from "../../auth.ts";
import { documentBody, type ReceiveOptions, receive } from "../../body.ts";
import { Problem } from "../../problem.ts";
import type { Door } from "../interface.ts";
import { documentOf, type Encoding, RedisError, type Reply } from "./reply.ts";
import { commandIn, commandsIn, queryArguments, type Target, targetOf, tokenParameter } from "./request.ts";
import { Run } from "./run.ts";

export { REDIS_PATH } from "./request.ts";

export interface RedisOptions extends ReceiveOptions, Door {
  maxValueBytes: number;
}

const METHODS = ["GET", "HEAD", "POST", "PUT"];
const WRONG_TOKEN = new RedisError("WRONGPASS invalid or missing auth token");
const WRONG_METHOD = new RedisError("ERR only GET, HEAD, POST and PUT are taken here");
const WRONG_NAMESPACE = new RedisError("ERR a namespace is 1 to 64 letters, digits, '_' or '-'");

/** Where a token may be, and the namespace. */
const CLAIMS: Claims = {
  tokenOf: (request) =>
    (request.headers.has("Authorization") ? undefined : tokenParameter(request)) ?? bearerToken(request),
  namespaceOf: (request) => targetOf(request).namespace,
};

/** Sent back by clients with what they ask next, for a server that may not know of their writes yet. This one does. */
const SYNC_TOKEN = "Upstash-Sync-Token";
const SYNC_TOKEN_PATTERN = /^[\w-]{1,64}$/;

/** What answers every request below `REDIS_PATH`. */
export function redisInterface(store: Store, options: RedisOptions): (request: Request) => Promise<Response> {
  const body = documentBody(BATCH_BODY_BYTES, options);

  return async (request) => {
    try {
      const target = targetOf(request);
      const rights = options.admit(request, () => {}, CLAIMS);
      if (!NAMESPACE_PATTERN.test(target.namespace)) throw WRONG_NAMESPACE;
      if (!METHODS.includes(request.method)) {
        return errorAnswer(request, WRONG_METHOD, 405, { Allow: METHODS.join(", ") });
      }
      const run = new Run(store, {
        ...{ namespace: target.namespace, maxValueBytes: options.maxValueBytes, rights, caller: request.signal },
        errorOf: (error) => errorOf(options.problemOf(error, request)),
      });
      return await receive(request, body, (bytes) => respond(request, target, bytes, run));
    } catch (error) {
      if (error instanceof RedisError) return errorAnswer(request, error, 400);
      const problem = error instanceof Problem ? error : options.problemOf(error, request);
      return errorAnswer(request, errorOf(problem), problem.status, problem.headers);
    }
  };
}

async function respond(request: Request, { parts }: Target, body: Buffer, run: Run): Promise<Response> {
  const encoding: Encoding = request.headers.get("Upstash-Encoding") === "base64" ? "base64" : "text";
  const [first] = parts;
  const isBody = first === undefined;
  const many = parts.length === 1 && request.method === "POST" ? String(first) : "";
  if (many === "pipeline" || many === "multi-exec") {
    const commands = commandsIn(body);
    const replies = await (many === "pipeline" ? run.all(commands) : run.transaction(commands));
    return jsonAnswer(request, 200, `[${replies.map((reply) => documentOf(reply, encoding)).join(",")}]`, run);
  }
  const command = isBody ? commandIn(body) : [...parts, ...(body.length > 0 ? [body] : []), ...queryArguments(request)];
  const [reply] = (await run.all([command])) as [Reply];
  if (reply instanceof StoreRefusal) return errorAnswer(request, reply, reply.status, reply.headers);
  return jsonAnswer(request, reply instanceof RedisError ? 400 : 200, documentOf(reply, encoding), run);
}

/** An error that is no command's own. */
class StoreRefusal extends RedisError {
  readonly status: number;
  readonly headers: Record<string, string>;

  constructor({ code, detail, status, headers }: Problem) {
    super(`${code === "forbidden" ? "NOPERM" : "ERR"} ${detail}`);
    this.status = status;
    this.headers = headers;
  }
}

function errorOf(problem: Problem): RedisError {
  return problem.code === "unauthorized" ? WRONG_TOKEN : new StoreRefusal(problem);
}

function jsonAnswer(request: Request, status: number, document: string, { hasWritten }: Run): Response {
  const given = request.headers.get(SYNC_TOKEN) ?? "";
  const known = SYNC_TOKEN_PATTERN.test(given) ? given : undefined;
  const token = hasWritten ? newVersion() : known;
  return answer(request, status, { ...HEADERS, ...(token && { [SYNC_TOKEN]: token }) }, document);
}

const HEADERS = { "Content-Type": "application/json", "Cache-Control": "no-store" };

function errorAnswer(request: Request, error: RedisError, status: number, headers: Record<string, string> = {}) {
  return answer(request, status, { ...headers, ...HEADERS }, documentOf(error, "text"));
}
