// Every problem code that an answer can hold, declared once: its status, and the sentence that says what is wrong.

import { BATCH_BODY_BYTES, BATCH_OPERATIONS, CONTENT_TYPE_BYTES, ETAGS, KEY_BYTES, METADATA_BYTES } from "../limits.ts";

export type ProblemStatus = 400 | 401 | 403 | 404 | 405 | 408 | 409 | 412 | 413 | 415 | 500 | 503;

interface Declared {
  status: ProblemStatus;
  /** For people. An answer may have another sentence, which says more of its own case. */
  detail: string;
  /** What to do about it; given for those problems that are not of one call but of any. */
  advice?: string;
  /** A header that the answer has on its account. */
  header?: "Allow" | "Connection" | "Retry-After" | "WWW-Authenticate";
}

const declared = {
  invalid_namespace: { status: 400, detail: "A namespace is 1 to 64 letters, digits, '_' or '-'." },
  invalid_key: { status: 400, detail: `A key is 1 to ${KEY_BYTES} bytes, as one percent-encoded segment of the path.` },
  invalid_parameter: { status: 400, detail: "A query parameter is unknown, given twice, or not one of its values." },
  invalid_precondition: {
    status: 400,
    detail: `A condition is * or up to ${ETAGS} quoted entity tags, in a header that the call takes.`,
  },
  invalid_ttl: {
    status: 400,
    detail:
      "An expiry is one of ttl, ttl_ms and expires_at, as the API's document spells them, at most 100 years away.",
  },
  invalid_content_type: {
    status: 400,
    detail: `Content-Type is one media type of at most ${CONTENT_TYPE_BYTES} printable ASCII characters.`,
  },
  invalid_metadata: {
    status: 400,
    detail: `KV-Metadata is JSON of at most ${METADATA_BYTES} bytes in ASCII; write other characters as \\uXXXX.`,
  },
  invalid_value: { status: 400, detail: "A put has a value as text, or as base64." },
  invalid_increment: {
    status: 400,
    detail: "An increment takes 64-bit integers, as text beyond 2^53, and min below max.",
  },
  invalid_cursor: { status: 400, detail: "The cursor is not one of this query's." },
  invalid_batch: { status: 400, detail: `A batch is a document with 1 to ${BATCH_OPERATIONS} operations.` },
  invalid_operation: { status: 400, detail: "The operation has a field that is unknown, missing or wrong." },
  partial_put: { status: 400, detail: "A PUT with Content-Range would replace the whole value." },
  invalid_json: { status: 400, detail: "The body is not JSON in UTF-8, or it names a field twice." },
  incomplete_body: { status: 400, detail: "The body ended early; nothing was changed." },
  not_found: { status: 404, detail: "There is no such key, or it has expired." },
  request_timeout: {
    status: 408,
    detail: "The body did not arrive in time; nothing was changed.",
    header: "Connection",
  },
  not_a_number: { status: 409, detail: "The value is no 64-bit integer in decimal; nothing was changed." },
  overflow: { status: 409, detail: "The sum does not fit 64 bits; nothing was changed." },
  out_of_bounds: { status: 409, detail: "The sum is less than min or more than max; nothing was changed." },
  precondition_failed: { status: 412, detail: "The precondition does not hold; nothing was changed." },
  value_too_large: { status: 413, detail: "The value is larger than this server takes." },
  body_too_large: { status: 413, detail: "The body is larger than this call takes." },
  answer_too_large: {
    status: 413,
    detail: `The values that a batch reads are at most ${BATCH_BODY_BYTES} bytes together; ask for this one again.`,
  },
  unsupported_content_encoding: { status: 415, detail: "Send the value without Content-Encoding." },
  draining: { status: 503, detail: "This server is shutting down." },

  ambiguous_path: {
    status: 400,
    detail:
      "The path holds '\\', a dot segment, or bytes that must be escaped: it can't be told which key it means. U+FFFD is sent as %ef%bf%bd.",
    advice: "Escape the key.",
  },
  invalid_host: {
    status: 400,
    detail: "Host must be one name or address, with a port or without.",
    advice: "Send one `Host` of that form.",
  },
  foreign_host: {
    status: 400,
    detail:
      "A server that lets everyone in takes requests for this machine only: localhost, 127.0.0.1 or [::1] in Host.",
    advice: "Use one of these names. So no page of another site reaches the server by a name of its own.",
  },
  unauthorized: {
    status: 401,
    detail: "There is no valid bearer token in the header Authorization.",
    advice: "Send a token that is valid.",
    header: "WWW-Authenticate",
  },
  forbidden: {
    status: 403,
    detail: "The token is not for this namespace, or not for this kind of call.",
    advice: "Use a token for this namespace and this kind of call.",
    header: "WWW-Authenticate",
  },
  foreign_page: {
    status: 403,
    detail: "A server that lets everyone in takes no writes from pages of other origins.",
    advice: "Name the page's origin in `KV_CORS_ORIGINS`, or send a token.",
  },
  no_such_route: { status: 404, detail: "There is nothing at this path.", advice: "Correct the path." },
  method_not_allowed: {
    status: 405,
    detail: "There is something at this path, but it does not take this method.",
    advice: "Use a method that the header `Allow` names.",
    header: "Allow",
  },
  internal: {
    status: 500,
    detail: "Something went wrong in the server.",
    advice: "Nothing was changed if `detail` says so. Tell the operator the request id.",
  },
  overloaded: {
    status: 503,
    detail: "Too many calls are waiting; nothing was changed. Try again later.",
    advice: "Try again after `Retry-After` seconds, then ever later, with some randomness.",
    header: "Retry-After",
  },
  unavailable: {
    status: 503,
    detail: "The database could not be reached in time; nothing was changed. Try again.",
    advice: "The same.",
    header: "Retry-After",
  },
  outcome_unknown: {
    status: 503,
    detail: "The write was sent but its outcome is not known: it may have been applied. Read the key to find out.",
    advice: "Read the key, or repeat a write that has `If-Match`: the first one may yet be applied.",
  },
} satisfies Record<string, Declared>;

/** Stable, for programs. */
export type ProblemCode = keyof typeof declared;

export const PROBLEMS: Record<ProblemCode, Declared> = declared;
