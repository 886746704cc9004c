// What a call of the API is declared as, and its routing. From the declarations come the routes, the check of parameters,
// the OpenAPI document, the tables of README.md, and what the contract's tests accept as an answer.

import type { z } from "zod";
import type { ProblemCode } from "./codes.ts";
import { Problem, problemAnswer } from "./problem.ts";
import type { Rights } from "./rights.ts";

/** Throws a Problem for what is wrong with a request. `rights` are its token's, or all where none is needed. */
export type Handler = (request: Request, rights: Rights) => Response | Promise<Response>;

/** Has requests at a path answered, the path with Hono's patterns. */
export type Route = (path: string, handle: Handler) => void;

/**
 * One call. Each file of this folder that answers calls declares them in a constant, next to their handlers, by the names
 * that clients made from the OpenAPI document will have for them:
 *
 *     export const operations = { getTtl: { … }, setTtl: { … } } satisfies Operations;
 *
 * and exports a function that returns `callsOf` them with their handlers; app.ts calls that, and operations.ts lists them.
 * A new problem code goes into codes.ts. `npm run reference` then brings openapi.json and README.md up to date.
 *
 * Every text is Markdown in whole sentences, unless it says otherwise. What a parameter, a header or a field means is said
 * by zod's `describe`.
 */
export interface Operation {
  /** HEAD is served wherever GET is. */
  method: "GET" | "PUT" | "POST" | "DELETE";
  /** With `{ns}` and `{key}` where those stand. */
  path: string;
  /** What it does, without a full stop: "Sets a value". */
  summary: string;
  description?: string;
  /** What HEAD is for; without it HEAD is not worth mentioning. */
  head?: string;
  /** Where it needs no token, for those who have none: supervisors, load balancers, browsers. */
  open?: "everywhere" | "not on Workers";
  /** The query string, as a strict object, by which `queryOf` checks it. Without it a call takes no parameter. */
  query?: z.ZodObject;
  /** Headers of the request. They are read by hand, for speed; a schema here shares its limits with what reads it. */
  headers?: z.ZodObject;
  body?: Body & { description: string; optional?: true };
  /** What is answered where nothing is wrong, by status. */
  answers: { [status: number]: Answer };
  /** Beside those of `problemsOf`. */
  problems?: readonly ProblemCode[];
  /** Of parts of an answer that is itself none. */
  partProblems?: readonly ProblemCode[];
}

export type Operations = Record<string, Operation>;

export interface Body {
  /** Of a body that is JSON; of a request's, what `validated` checks it by. */
  json?: z.ZodType;
  /** Of any other, its media types or ranges of them; /docs sends the first. */
  types?: string[];
}

export interface Answer {
  /** When it is given, or what it says. */
  description: string;
  /** Those that are always there are required. */
  headers?: z.ZodObject;
  body?: Body;
}

/** What any call that reads what is stored may be answered with, and any that writes. */
export const READ_PROBLEMS: ProblemCode[] = ["overloaded", "unavailable"];
export const WRITE_PROBLEMS: ProblemCode[] = [...READ_PROBLEMS, "outcome_unknown"];

/** Every problem that a call may be answered with. */
export function problemsOf({ method, path, open, problems = [] }: Operation): ProblemCode[] {
  return [
    ...when(path.includes("{ns}"), "invalid_namespace", "invalid_parameter"),
    ...when(path.includes("{key}"), "invalid_key", "ambiguous_path"),
    ...problems,
    ...when(open !== "everywhere", "unauthorized", "forbidden"),
    "invalid_host",
    "foreign_host",
    ...when(method === "POST", "foreign_page"),
    "internal",
  ];
}

const when = (condition: boolean, ...codes: ProblemCode[]) => (condition ? codes : []);

/** A call with what answers it. */
export interface Call {
  operation: Operation;
  handle: Handler;
}

/** The calls of one file, each with the handler of its name; one without a handler is not served. */
export function callsOf<T extends Operations>(operations: T, handlers: { [Name in keyof T]?: Handler }): Call[] {
  return Object.entries(operations).flatMap(([name, operation]) => {
    const handle = handlers[name];
    return handle ? [{ operation, handle }] : [];
  });
}

/** The paths that need no token. */
export function openPaths(calls: Call[], onWorkers = false): Set<string> {
  const open = calls.filter(({ operation }) => operation.open && !(onWorkers && operation.open === "not on Workers"));
  return new Set(open.map(({ operation }) => operation.path));
}

/** Has all calls answered. Whatever else is tried on their paths is answered 405 with Allow. */
export function serve(route: Route, calls: Call[]) {
  for (const [path, atPath] of Map.groupBy(calls, ({ operation }) => operation.path)) {
    const methods = new Map<string, Handler>();
    for (const { operation, handle } of atPath) {
      methods.set(operation.method, handle);
      if (operation.method === "GET") methods.set("HEAD", handle);
    }
    const allow = [...methods.keys()].join(", ");
    const refusal = new Problem("method_not_allowed", `This resource takes ${allow}.`, { Allow: allow });
    route(
      path.replace(/\{(\w+)\}/g, ":$1"),
      (request, rights) => methods.get(request.method)?.(request, rights) ?? problemAnswer(request, refusal),
    );
  }
}
