// What servers do differently on Bun.

import type { BunRequest } from "bun";
import { INTERFACE_ROUTES } from "./http/compat/routes.ts";
import { ROUTES } from "./http/target.ts";
import type { Runtime } from "./runtime.ts";

/** Whatever is beyond it is left to the app, which answers with a problem document; Bun would close the connection. */
const ANY_BODY_BYTES = Number.MAX_SAFE_INTEGER;

export const bun: Runtime = {
  hash: (key) => Bun.hash.xxHash64(key),
  urlsAsSent: false,
  partsOf: (request) => (request as Partial<BunRequest>).params,
  open({ fetch, idleSeconds, pem, ...options }) {
    const server = Bun.serve({
      ...options,
      ...{ fetch, idleTimeout: idleSeconds, maxRequestBodySize: ANY_BODY_BYTES },
      ...(pem && { tls: { cert: pem, key: pem } }),
      // By its routes Bun finds the parts of a path in the bytes, before it makes a URL of them.
      routes: Object.fromEntries([...ROUTES, ...INTERFACE_ROUTES].map((path) => [path, fetch])),
    });
    return { url: server.url.href, port: server.port as number, stop: (close) => server.stop(close) };
  },
};
