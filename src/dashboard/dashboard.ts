// /dashboard: the operator's page, and what it shows of the servers' state. The page itself tells nothing of what is stored,
// so it is open to all, as /docs is; what it asks for needs a token.

import { answer, jsonAnswer } from "../http/answer.ts";
import { callsOf, type Operations } from "../http/operation.ts";

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>vitess-kv</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="dashboard/page.css">
<div id="page"></div>
<noscript>This page needs JavaScript.</noscript>
<script type="module" src="dashboard/page.js"></script>
</html>
`;
const PAGE_HEADERS = {
  "Content-Type": "text/html; charset=utf-8",
  "Cache-Control": "no-cache",
  // Stored images are shown from blobs. Nothing can become a script: not a string, nor what is stored.
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  "Referrer-Policy": "no-referrer",
};
/** Its parts belong together, so an upgraded server's must not meet an older one's. */
const PART = { "Cache-Control": "no-cache" };

/** No calls of the API, but parts of the page. */
const operations = {
  getPage: { method: "GET", path: "/dashboard", summary: "", open: "everywhere", answers: {} },
  getScript: { method: "GET", path: "/dashboard/page.js", summary: "", open: "everywhere", answers: {} },
  getStyle: { method: "GET", path: "/dashboard/page.css", summary: "", open: "everywhere", answers: {} },
  getState: { method: "GET", path: "/dashboard/state", summary: "", answers: {} },
  getHistory: { method: "GET", path: "/dashboard/history", summary: "", answers: {} },
} satisfies Operations;

export interface DashboardOptions {
  /** What the page shows of the state, as documents for JSON; without this there are no such paths. */
  dashboard?: {
    state: () => Promise<unknown>;
    history: () => unknown;
  };
}

/** The page's parts are large, so they are loaded when they are first asked for. */
export function dashboardCalls({ dashboard }: DashboardOptions) {
  return callsOf(operations, {
    getPage: (request) => answer(request, 200, PAGE_HEADERS, PAGE),
    getScript: async (request) => {
      const { default: script } = await import("./built/page.js", { with: { type: "text" } });
      return answer(request, 200, { ...PART, "Content-Type": "text/javascript; charset=utf-8" }, script);
    },
    getStyle: async (request) => {
      const { default: style } = await import("./built/page.css", { with: { type: "text" } });
      return answer(request, 200, { ...PART, "Content-Type": "text/css; charset=utf-8" }, style);
    },
    getState: dashboard && (async (request) => jsonAnswer(request, await dashboard.state())),
    getHistory: dashboard && ((request) => jsonAnswer(request, dashboard.history())),
  });
}
