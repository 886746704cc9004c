// A client: one request after the other, each call in it recorded with what became of it.

import { type Answer, Connection, isLast, NoAnswer, type Request } from "./connection.ts";
import { type Asked, type Call, clockOffsetUs, nowUs, type Outcome, READS } from "./history.ts";
import { requestOf, requestOfAll, resultOf, resultsOf } from "./requests.ts";

/** Longer than a server's deadline by far: a server that is alive answers before. */
const TIMEOUT_MS = 15_000;

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
    const calls = await this.record([asked], shard, requestOf(asked), (answer) => [resultOf(asked, answer)]);
    return calls[0] as Call;
  }

  /** The same of several calls in one request. */
  batch(all: Asked[], shard: string): Promise<Call[]> {
    return this.record(all, shard, requestOfAll(all), (answer) => resultsOf(all, answer));
  }

  close() {
    for (const connection of this.connections) connection.close();
  }

  private async record(
    all: Asked[],
    shard: string,
    request: Request,
    read: (answer: Answer) => Outcome[],
  ): Promise<Call[]> {
    const invoke = nowUs();
    const outcomes = await this.outcomesOf(all, request, read);
    const times = { invoke, return: nowUs(), clockOffset: clockOffsetUs() };
    const calls = all.map((asked, i) => ({
      ...{ client: this.id, shard, ...asked, ...times },
      ...(outcomes[i] as Outcome),
    }));
    // It may still be under way, and a client does one thing after the other.
    if (outcomes.some(({ outcome }) => outcome === "unknown")) this.id = clients++;
    return calls;
  }

  /** A server that surely has not got the request is passed over for the next. */
  private async outcomesOf(all: Asked[], request: Request, read: (answer: Answer) => Outcome[]): Promise<Outcome[]> {
    let failed: NoAnswer | undefined;
    for (const connection of this.connections) {
      try {
        const answer = await connection.call(request, TIMEOUT_MS);
        if (isLast(answer)) this.connections = [...this.connections.filter((each) => each !== connection), connection];
        return read(answer);
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
        failed = error;
        if (error.sent) break;
      }
    }
    return all.map(({ op }) => {
      const outcome = failed?.sent && !READS.has(op) ? "unknown" : "not_applied";
      return { outcome, held: false, got: {}, code: failed?.code };
    });
  }
}
