// Cloudflare's REST API for Workers KV, at /client/v4.

import type { Store } from "../../store/store.ts";
import { bearerToken } from "../auth.ts";
import { bulkCalls } from "./cloudflare-bulk.ts";
import { refusal } from "./cloudflare-envelope.ts";
import { namespaceCalls } from "./cloudflare-namespaces.ts";
import { isOfNamespace, namespaceOf } from "./cloudflare-paths.ts";
import { valueCalls } from "./cloudflare-values.ts";
import type { Interface, InterfaceOptions } from "./interface.ts";

/** A token stands where older clients have a user's key, beside the user's address. */
const KEY_HEADERS = ["X-Auth-Key", "X-Auth-User-Service-Key"];

export function cloudflareApi(store: Store, options: InterfaceOptions): Interface {
  return {
    claims: {
      tokenOf: (request) => {
        const { headers } = request;
        const key = headers.has("Authorization") ? undefined : KEY_HEADERS.find((name) => headers.has(name));
        return (key && headers.get(key)) ?? bearerToken(request);
      },
      namespaceOf: (request) => (isOfNamespace(request) ? namespaceOf(request) : undefined),
    },
    calls: { ...namespaceCalls(store, options), ...valueCalls(store, options), ...bulkCalls(store, options) },
    refusal,
  };
}
