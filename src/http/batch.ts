// /v1/kv/{ns}: many operations in one request. No transaction: each is what its single call would be, except that those
// on one key happen in their order.

import { z } from "zod";
import { BATCH_BODY_BYTES, BATCH_HELD_BYTES, BATCH_OPERATIONS } from "../limits.ts";
import type { Store } from "../store/store.ts";
import { jsonAnswer } from "./answer.ts";
import { type OperationOptions, type Outcome, operation, perform, problemOutcome } from "./batched.ts";
import { documentBody, type ReceiveOptions, receive } from "./body.ts";
import { byteParametersOf, charactersOf } from "./bytes.ts";
import { parseJson } from "./json.ts";
import { callsOf, type Handler, type Operations } from "./operation.ts";
import { namespaceOf, requireKey } from "./path.ts";
import { Problem } from "./problem.ts";
import { type Rights, requireRight } from "./rights.ts";
import { Turns } from "./turns.ts";
import { noQuery, validated } from "./validation.ts";

const document = z.strictObject({
  operations: z.array(z.unknown()).min(1).max(BATCH_OPERATIONS, `are at most ${BATCH_OPERATIONS}`),
});

const ANSWER_TOO_LARGE = new Problem("answer_too_large");

/** What an operation's single call says in its status, headers and body; of a problem its code and sentence. */
const result = z
  .looseObject({ status: z.int(), code: z.string().optional(), detail: z.string().optional() })
  .meta({ id: "Result" });

export const operations = {
  batch: {
    method: "POST",
    path: "/v1/kv/{ns}",
    summary: "Does many operations in one request",
    description:
      "Each operation is what its single call would be, with the same fields. Keys and values that are not text go as `key_base64` and `value_base64`, and come back so. It is no transaction: one operation may fail while others happen. Operations on one key happen in their order.",
    body: {
      json: z.strictObject({ operations: z.array(operation).min(1).max(BATCH_OPERATIONS) }),
      description: `Up to ${BATCH_OPERATIONS} operations, as JSON of at most ${BATCH_BODY_BYTES} bytes.`,
    },
    answers: {
      200: {
        description: "A result for each operation, in their order.",
        body: { json: z.strictObject({ results: z.array(result) }) },
      },
    },
    partProblems: ["invalid_operation", "invalid_key", "invalid_value", "value_too_large", "answer_too_large"],
    problems: ["invalid_json", "invalid_batch", "incomplete_body", "request_timeout", "body_too_large", "overloaded"],
  },
} satisfies Operations;

export interface BatchOptions extends OperationOptions, ReceiveOptions {
  /** What is answered of an operation that failed so; the log is told. */
  problemOf: (error: unknown, request: Request) => Problem;
}

export function batchCalls(store: Store, options: BatchOptions) {
  const body = documentBody(BATCH_BODY_BYTES, options);
  const handle: Handler = async (request, rights) => {
    const namespace = namespaceOf(request);
    validated(noQuery, byteParametersOf(request), "invalid_parameter");
    const documents = await receive(request, body, (bytes) => {
      return validated(document, parseJson(bytes), "invalid_batch").operations;
    });
    const results = await new Batch(store, request, namespace, rights, options).run(documents);
    return jsonAnswer(request, { results });
  };
  return callsOf(operations, { batch: handle });
}

/** Operations on one namespace's keys, of any number. */
export class Batch {
  private readonly turns = new Turns();
  private bytesLeft = BATCH_BODY_BYTES;

  constructor(
    private readonly store: Store,
    private readonly request: Request,
    private readonly namespace: string,
    private readonly rights: Rights,
    private readonly options: BatchOptions,
  ) {}

  async run(documents: unknown[]): Promise<Outcome[]> {
    const results: Outcome[] = [];
    // So many values at once as memory has room for, how large they may ever be.
    const step = Math.max(1, Math.floor(BATCH_HELD_BYTES / this.options.maxValueBytes));
    for (let start = 0; start < documents.length; start += step) {
      const begun = documents.slice(start, start + step).map((each) => this.begin(each));
      for (const settled of await Promise.allSettled(begun)) {
        results.push(settled.status === "fulfilled" ? this.bounded(settled.value) : this.failed(settled.reason));
      }
    }
    return results;
  }

  private begin(document: unknown): Outcome | Promise<Outcome> {
    try {
      const fields = validated(operation, document, "invalid_operation");
      const name = charactersOf(fields.key, fields.key_base64, "key");
      if (name === undefined) throw new Problem("invalid_key", "An operation has a key, or a key_base64.");
      const key = requireKey(this.namespace, name);
      const reads = fields.op === "get" || fields.op === "head";
      requireRight(this.rights, reads ? "read" : "write");
      if (this.bytesLeft <= 0 && fields.op === "get") throw ANSWER_TOO_LARGE;
      const work = () => perform(this.store, key, fields, this.options, this.request.signal);
      return this.turns.inTurn(key, reads, work);
    } catch (error) {
      return this.failed(error);
    }
  }

  private failed(error: unknown): Outcome {
    return problemOutcome(error instanceof Problem ? error : this.options.problemOf(error, this.request));
  }

  /** The outcome, unless its value is one too many. */
  private bounded(outcome: Outcome): Outcome {
    const { value, value_base64 } = outcome;
    if (value === undefined && value_base64 === undefined) return outcome;
    const isFirst = this.bytesLeft === BATCH_BODY_BYTES;
    this.bytesLeft -= Number(outcome.bytes ?? 0);
    return this.bytesLeft >= 0 || isFirst ? outcome : problemOutcome(ANSWER_TOO_LARGE);
  }
}
