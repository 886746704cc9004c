// A client: one call after the other, each recorded with what became of it.

import { type Answer, Connection, isLast, NoAnswer, type Request } from "./connection.ts";
import { type Asked, type Call, clockOffsetUs, nowUs, type Outcome } from "./history.ts";

/** Longer than a server's deadline by far: a server that is alive answers before. */
const TIMEOUT_MS = 15_000;
export const NAMESPACE = "robustness";

let clients = 0;

export class Client {
  private id = clients++;
  private connections: Connection[];

  /** `ports` are the servers', the one that it prefers first. It goes to another one when that says that it leaves. */
  constructor(ports: number[]) {
    this.connections = ports.map((port) => new Connection(port));
  }

  /** Never throws: what went wrong is in the record. */
  async call(asked: Asked, shard: string): Promise<Call> {
    const invoke = nowUs();
    const outcome = await this.outcomeOf(asked);
    const call = {
      client: this.id,
      shard,
      ...asked,
      invoke,
      return: nowUs(),
      clockOffset: clockOffsetUs(),
      ...outcome,
    };
    // It may still be under way, and a client does one thing after the other.
    if (outcome.outcome === "unknown") this.id = clients++;
    return call;
  }

  close() {
    for (const connection of this.connections) connection.close();
  }

  /** A server that surely has not got the request is passed over for the next. */
  private async outcomeOf(asked: Asked): Promise<Outcome> {
    let failed: NoAnswer | undefined;
    for (const connection of this.connections) {
      try {
        const answer = await connection.call(requestOf(asked), TIMEOUT_MS);
        if (isLast(answer)) this.connections = [...this.connections.filter((each) => each !== connection), connection];
        return read(asked, answer);
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
        failed = error;
        if (error.sent) break;
      }
    }
    const reads = ["get", "head", "ttl"].includes(asked.op);
    const outcome = failed?.sent && !reads ? "unknown" : "not_applied";
    return { outcome, held: false, got: {}, code: failed?.code };
  }
}

function requestOf({ op, key, value, ifMatch, if: condition, ttlMs, keepTtl }: Asked): Request {
  const path = `/v1/kv/${NAMESPACE}/${key}`;
  const query = keepTtl ? "?keep_ttl=true" : ttlMs ? `?ttl_ms=${ttlMs}` : "";
  const put = { method: "PUT", path: path + query, body: value };
  switch (op) {
    case "get":
      return { method: "GET", path };
    case "head":
      return { method: "HEAD", path };
    case "ttl":
      return { method: "GET", path: `${path}/ttl` };
    case "put":
      return put;
    case "create":
      return { ...put, headers: { "If-None-Match": "*" } };
    case "cas":
      return { ...put, headers: { "If-Match": ifMatch as string } };
    case "delete":
      return { method: "DELETE", path };
    case "release":
      return { method: "DELETE", path, headers: { "If-Match": ifMatch as string } };
    case "expire": {
      const when = condition ? `?if=${condition}` : "";
      return { method: "PUT", path: `${path}/ttl${when}`, body: JSON.stringify({ ttl_ms: ttlMs }) };
    }
    case "persist":
      return { method: "DELETE", path: `${path}/ttl` };
  }
}

/** 404 and 412 are answers; any other refusal says that nothing has changed, but for `outcome_unknown`. */
function read({ op }: Asked, { status, headers, body }: Answer): Outcome {
  if (status === 404 || status === 412) {
    const refused = op === "expire" && status === 412;
    return { outcome: "ok", held: false, got: refused ? { refused } : {} };
  }
  if (status >= 300) {
    // The answer to a HEAD has no body to tell its code.
    const { code } = op === "head" ? { code: status === 503 ? "unavailable" : `status_${status}` } : JSON.parse(body);
    return { outcome: code === "outcome_unknown" ? "unknown" : "not_applied", held: false, got: {}, code };
  }
  const expires = op === "ttl" || op === "expire" ? JSON.parse(body).expires_at : headers.get("kv-expires-at");
  const expiresAt = expires && Date.parse(expires);
  return {
    outcome: "ok",
    held: true,
    got: { etag: headers.get("etag"), ...(op === "get" && { value: body }), ...(expiresAt && { expiresAt }) },
  };
}
