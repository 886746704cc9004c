// Namespaces in Cloudflare's REST API. Any name is one, and it is listed while it holds keys.

import { z } from "zod";
import { NAMESPACE_PATTERN } from "../../limits.ts";
import type { ListRest, Store } from "../../store/store.ts";
import { documentBody, receive } from "../body.ts";
import { groupedPage } from "../groups.ts";
import { parseJson } from "../json.ts";
import { boundsOf, deleteSome, listPage } from "../list.ts";
import type { Handler } from "../operation.ts";
import { Problem } from "../problem.ts";
import { requireRight } from "../rights.ts";
import { noQuery, validated } from "../validation.ts";
import { failure, success, TITLE_EXISTS } from "./cloudflare-envelope.ts";
import { namespaceOf, PATHS } from "./cloudflare-paths.ts";
import { idOf, titleOf } from "./cloudflare-titles.ts";
import type { Interface, InterfaceOptions } from "./interface.ts";
import { parametersOf, wellFormed } from "./workers-kv.ts";

/** Namespaces that are looked for: each that a page skips costs a read of every shard. */
const WALKED = 2_000;
/** How long one request deletes keys. */
const DELETION_MS = 20_000;
const BODY_BYTES = 4_096;

const whole = z
  .string()
  .regex(/^[1-9]\d{0,5}$/, "must be a whole number from 1 on")
  .transform(Number);
const listQuery = z.strictObject({
  page: whole.optional(),
  per_page: whole.pipe(z.number().max(1_000)).optional(),
  order: z.enum(["id", "title"]).optional(),
  direction: z.enum(["asc", "desc"]).optional(),
});
const titled = z.strictObject({ title: wellFormed, jurisdiction: z.string().optional() });

export function namespaceCalls(store: Store, options: InterfaceOptions): Interface["calls"] {
  const body = documentBody(BODY_BYTES, options);

  /** The id of the namespace that has the title in a request's body. */
  async function titledId(request: Request): Promise<string> {
    parametersOf(request, noQuery);
    const { title, jurisdiction } = await receive(request, body, (bytes) =>
      validated(titled, parseJson(bytes), "invalid_parameter"),
    );
    if (jurisdiction !== undefined) {
      throw new Problem("invalid_parameter", "jurisdiction: keys are where this server's database is.");
    }
    const id = idOf(title);
    if (!NAMESPACE_PATTERN.test(id)) {
      throw new Problem("invalid_parameter", "title: must be 1 to 64 characters, fewer where some need an escape.");
    }
    return id;
  }

  const create: Handler = async (request, rights) => {
    requireRight(rights, "write");
    const id = await titledId(request);
    if (!(await holdsKeys(store, request, id))) return success(request, describe(id));
    const message = "A namespace with this title holds keys already.";
    return failure(request, { status: 400, code: TITLE_EXISTS, message });
  };

  return {
    [PATHS.namespaces]: {
      GET: async (request) => {
        const { page = 1, per_page = 20, direction } = parametersOf(request, listQuery);
        const ids = await firstNamespaces(store, request, page * per_page, direction === "desc");
        const shown = ids.slice((page - 1) * per_page, page * per_page);
        return success(request, shown.map(describe), { page, per_page, count: shown.length });
      },
      POST: create,
    },
    [PATHS.namespace]: {
      GET: (request) => {
        const id = namespaceOf(request);
        parametersOf(request, noQuery);
        return success(request, describe(id));
      },
      PUT: async (request) => {
        const id = namespaceOf(request);
        if ((await titledId(request)) === id) return success(request, describe(id));
        throw new Problem("invalid_parameter", "title: a namespace can't be renamed, because its title is its name.");
      },
      DELETE: async (request) => {
        const id = namespaceOf(request);
        parametersOf(request, noQuery);
        if (await deleteAll(store, request, id)) return success(request, {});
        const message = "Many keys were deleted, and some are left; ask again.";
        return failure(request, { status: 503, code: 503, message }, { headers: { "Retry-After": "1" } });
      },
    },
  };
}

function describe(id: string) {
  return { id, title: titleOf(id), supports_url_encoding: true };
}

async function holdsKeys(store: Store, request: Request, id: string): Promise<boolean> {
  let rest: ListRest | null | undefined;
  do {
    const query = { ...boundsOf(id, {}), order: "key", reverse: false, limit: 1, rest: rest ?? undefined } as const;
    const page = await listPage(store, query, request);
    if (page.entries.length > 0) return true;
    rest = page.rest;
  } while (rest);
  return false;
}

/**
 * Up to so many namespaces that hold keys, in the order of their ids, found by skipping what each holds. Throws a 400
 * where there are more than can be looked for.
 */
async function firstNamespaces(store: Store, request: Request, count: number, reverse: boolean): Promise<string[]> {
  const found: string[] = [];
  const everything = { start: Buffer.alloc(0), end: Buffer.of(0xff), order: "key", reverse } as const;
  const wanted = Math.min(count, WALKED + 1);
  let rest: ListRest | null | undefined;
  do {
    const query = { ...everything, limit: wanted - found.length, rest: rest ?? undefined };
    const page = await groupedPage((part) => listPage(store, part, request), query, {
      at: 0,
      delimiter: Buffer.from("/"),
    });
    const names = page.groups.map((group) => group.toString("latin1", 0, group.length - 1));
    // Others are the store's own.
    found.push(...names.filter((name) => NAMESPACE_PATTERN.test(name)));
    rest = page.rest;
  } while (rest && found.length < wanted);
  if (found.length > WALKED) throw new Problem("invalid_parameter", `page: the first ${WALKED} namespaces are listed.`);
  return found;
}

/** Whether all keys are gone, or else the time was up. */
async function deleteAll(store: Store, request: Request, id: string): Promise<boolean> {
  const until = performance.now() + DELETION_MS;
  let rest: ListRest | undefined;
  do {
    const done = await deleteSome(store, boundsOf(id, {}), rest, request);
    if (done.isEnd) return true;
    rest = done.rest;
  } while (performance.now() < until);
  return false;
}
