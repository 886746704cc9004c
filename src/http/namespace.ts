// /v1/kv/{ns}: what is about many keys of a namespace.

import type { Store } from "../store/store.ts";
import { type BatchOptions, batchHandler } from "./batch.ts";
import { deleteKeys, listKeys } from "./list.ts";
import { type Route, resource } from "./resource.ts";

export function namespaceRoutes(route: Route, store: Store, options: BatchOptions) {
  resource(route, "/v1/kv/:ns", {
    GET: (request) => listKeys(request, store),
    POST: batchHandler(store, options),
    DELETE: (request) => deleteKeys(request, store),
  });
}
