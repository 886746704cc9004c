// What pages of other origins may do (CORS, Fetch standard, section 3.2): only where an operator has named their origins.

import { cors } from "hono/cors";
import { Problem } from "./problem.ts";

const FOREIGN_PAGE = new Problem("foreign_page");

/** Answers preflights, which never have a token, and lets scripts read what every answer tells in its headers. */
export function allowOrigins(origins: string[]) {
  return cors({
    origin: origins.includes("*") ? "*" : origins,
    allowMethods: ["GET", "HEAD", "PUT", "POST", "DELETE"],
    allowHeaders: [
      ...["Authorization", "Content-Type", "If-Match", "If-None-Match", "KV-Metadata", "X-Request-Id"],
      ...["KV-Server-Timing", "traceparent", "tracestate"],
      // What Upstash's client sends.
      ...["Upstash-Encoding", "Upstash-Sync-Token"],
      ...["Upstash-Telemetry-Runtime", "Upstash-Telemetry-Platform", "Upstash-Telemetry-Sdk"],
    ],
    exposeHeaders: [
      ...["ETag", "KV-Metadata", "KV-Expires-At", "Retry-After", "X-Request-Id", "Server-Timing", "traceresponse"],
      "Upstash-Sync-Token",
    ],
    maxAge: 7_200,
  });
}

/**
 * Throws a 403 for a call of a page of another origin, unless it is one of `origins`. A browser makes a GET, and a POST as
 * of a form, without a preflight, and only keeps the answer from the page; Sec-Fetch-Site (W3C Fetch Metadata) tells that
 * it does so.
 */
export function refuseForeignPage({ headers }: Request, origins: string[] = []) {
  const site = headers.get("Sec-Fetch-Site");
  if (site !== "cross-site" && site !== "same-site") return;
  const origin = headers.get("Origin");
  if (origin === null || !(origins.includes("*") || origins.includes(origin))) throw FOREIGN_PAGE;
}
