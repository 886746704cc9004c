// What an interface that clients of another store speak is to the app: a translation of its calls, and its own wording of
// problems.

import { requestIdOf } from "../answer.ts";
import type { Claims } from "../auth.ts";
import type { OperationOptions } from "../batched.ts";
import type { ReceiveOptions } from "../body.ts";
import type { Handler } from "../operation.ts";
import { Problem } from "../problem.ts";
import type { Rights } from "../rights.ts";
import { exactParts } from "../target.ts";

export interface Interface {
  claims: Claims;
  /** What answers, by path, in which `:name` stands for a segment, and by method. HEAD is served wherever GET is. */
  calls: Record<string, Record<string, Handler>>;
  refusal: (request: Request, problem: Problem, requestId: string) => Response;
}

/** What every such interface takes from the app. */
export interface InterfaceOptions extends OperationOptions, ReceiveOptions {
  problemOf: Door["problemOf"];
}

/** What is before every such interface. */
export interface Door {
  /** Throws a Problem for a request that is not what was sent, or that is not let in. */
  admit: (request: Request, requireExact: ReturnType<typeof exactParts>, claims: Claims) => Rights;
  /** What is answered where something failed so; the log is told. */
  problemOf: (error: unknown, request: Request, requestId?: string) => Problem;
}

const NO_SUCH_ROUTE = new Problem("no_such_route");

/** What answers every request at a path of an interface, which may be one that it does not have. */
export function translated({ claims, calls, refusal }: Interface, path: string, door: Door) {
  const methods = calls[path];
  const requireExact = exactParts(path);
  const allow = methods && Object.keys(methods).join(", ");
  const refused = allow
    ? new Problem("method_not_allowed", `This resource takes ${allow}.`, { Allow: allow })
    : NO_SUCH_ROUTE;
  return async (request: Request): Promise<Response> => {
    try {
      const rights = door.admit(request, requireExact, claims);
      const handle = methods?.[request.method === "HEAD" ? "GET" : request.method];
      if (!handle) throw refused;
      return await handle(request, rights);
    } catch (error) {
      const requestId = requestIdOf(request);
      return refusal(request, error instanceof Problem ? error : door.problemOf(error, request, requestId), requestId);
    }
  };
}
