// What servers do differently on Bun and on Deno. Workers differ in more than this, and have an entry of their own.

import type { SentParts } from "./http/target.ts";

export interface Runtime {
  /** xxHash64 with seed 0, by which Vitess places keys. */
  hash: (key: Uint8Array) => bigint;
  /** Opens a port. Throws an Error where it can't be had. */
  open: (options: PortOptions) => OpenPort;
  /** The parts of a path as they were sent, where the runtime tells them. */
  partsOf?: (request: Request) => SentParts | undefined;
  /** Whether a request's URL has its target as it was sent, and not as a URL parser has repaired it. */
  urlsAsSent: boolean;
}

export interface PortOptions {
  hostname: string;
  /** 0 for a free one. */
  port: number;
  /** Whether other listeners may have the same port. */
  reusePort: boolean;
  /** How long nothing may move on a connection, where the runtime can limit it. */
  idleSeconds: number;
  /** For HTTPS: a certificate, or a chain, and its key, in one text in PEM. */
  pem?: string;
  /** Answers a request. */
  fetch: (request: Request) => Response | Promise<Response>;
}

export interface OpenPort {
  /** What clients call. */
  url: string;
  port: number;
  /** Takes no more connections, and ends when each that is open has ended; at once if they are to be closed. */
  stop: (closeConnections?: boolean) => Promise<void>;
}
