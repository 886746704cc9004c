// What pages of other origins may do (CORS, Fetch standard, section 3.2): only where an operator has named their origins.

import { cors } from "hono/cors";

/** Answers preflights, which never have a token, and lets scripts read what every answer tells in its headers. */
export function allowOrigins(origins: string[]) {
  return cors({
    origin: origins.includes("*") ? "*" : origins,
    allowMethods: ["GET", "HEAD", "PUT", "POST", "DELETE"],
    allowHeaders: [
      ...["Authorization", "Content-Type", "If-Match", "If-None-Match", "KV-Metadata", "X-Request-Id"],
      // What Upstash's client sends.
      ...["Upstash-Encoding", "Upstash-Sync-Token"],
      ...["Upstash-Telemetry-Runtime", "Upstash-Telemetry-Platform", "Upstash-Telemetry-Sdk"],
    ],
    exposeHeaders: ["ETag", "KV-Metadata", "KV-Expires-At", "Retry-After", "Upstash-Sync-Token", "X-Request-Id"],
    maxAge: 7_200,
  });
}
