// The paths of Cloudflare's REST API for Workers KV. An account is any word.

import { namespaceIn, rawPath } from "../path.ts";

/** Below it is Cloudflare's API, of which Workers KV is a part. */
export const CLOUDFLARE_PATH = "/client/v4/";
const NAMESPACES = `${CLOUDFLARE_PATH}accounts/:account/storage/kv/namespaces`;
const NAMESPACE = `${NAMESPACES}/:id`;
export const PATHS = {
  namespaces: NAMESPACES,
  namespace: NAMESPACE,
  keys: `${NAMESPACE}/keys`,
  value: `${NAMESPACE}/values/:name`,
  metadata: `${NAMESPACE}/metadata/:name`,
  bulk: `${NAMESPACE}/bulk`,
  bulkDelete: `${NAMESPACE}/bulk/delete`,
  bulkGet: `${NAMESPACE}/bulk/get`,
};

/** Where the parts of a path stand. */
const ID_PART = 8;
const NAME_PART = 10;

/** Whether a request is about a namespace, and not about all of them. */
export function isOfNamespace(request: Request): boolean {
  return partOf(request, ID_PART) !== "";
}

/** The namespace in a request's path. Throws a 400 where there is none. */
export function namespaceOf(request: Request): string {
  return namespaceIn(partOf(request, ID_PART));
}

/** The namespace, and what stands for a key, still encoded. */
export function entryPartsOf(request: Request): { namespace: string; name: string } {
  const parts = rawPath(request).split("/");
  return { namespace: namespaceIn(parts[ID_PART] ?? ""), name: parts[NAME_PART] ?? "" };
}

function partOf(request: Request, index: number): string {
  return rawPath(request).split("/")[index] ?? "";
}
