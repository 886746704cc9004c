// /openapi.json and /docs: what the API is, for programs and for people. Both tell nothing of what is stored, and a browser
// has no token when it opens a page, so they are open to all.

import { answer } from "./answer.ts";
import { callsOf, type Operations } from "./operation.ts";

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>vitess-kv</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/page.css">
<main id="page"></main>
<script src="docs/page.js"></script>
</html>
`;
/** Added to Swagger UI's script, so that the page needs none of its own. Else it would ask a validator elsewhere. */
const START = `
SwaggerUIBundle({ url: "openapi.json", dom_id: "#page", deepLinking: true, validatorUrl: null });
`;
const PAGE_HEADERS = {
  "Content-Type": "text/html; charset=utf-8",
  // Unlike a stored page it runs a script, of this server and of nobody else.
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
};
/** Of what is large, and the same for as long as the server is not upgraded. */
const CACHED = { "Cache-Control": "max-age=3600" };

export const operations = {
  getOpenApi: {
    method: "GET",
    path: "/openapi.json",
    summary: "Describes the API for programs",
    description: "The document is OpenAPI 3.1. It needs no token, because it tells nothing of what is stored.",
    open: "everywhere",
    answers: { 200: { description: "The document.", body: { types: ["application/json"] } } },
  },
  getDocs: {
    method: "GET",
    path: "/docs",
    summary: "Describes the API for people",
    description:
      "The page shows `/openapi.json` and can make calls. It loads nothing from elsewhere, and needs no token, because it tells nothing of what is stored.",
    open: "everywhere",
    answers: { 200: { description: "The page.", body: { types: ["text/html"] } } },
  },
} satisfies Operations;

/** Parts of the page: no calls of the API. */
const parts = {
  getScript: { method: "GET", path: "/docs/page.js", summary: "", open: "everywhere", answers: {} },
  getStyle: { method: "GET", path: "/docs/page.css", summary: "", open: "everywhere", answers: {} },
} satisfies Operations;

/** What these answer is large, so it is loaded when it is first asked for. */
export function docsCalls() {
  return [
    ...callsOf(operations, {
      getOpenApi: async (request) => {
        const { default: document } = await import("./openapi.json", { with: { type: "json" } });
        return answer(request, 200, { "Content-Type": "application/json" }, JSON.stringify(document));
      },
      getDocs: (request) => answer(request, 200, PAGE_HEADERS, PAGE),
    }),
    ...callsOf(parts, {
      getScript: async (request) => {
        const { default: script } = await import("swagger-ui-dist/swagger-ui-bundle.js", { with: { type: "text" } });
        return answer(request, 200, { ...CACHED, "Content-Type": "text/javascript; charset=utf-8" }, script + START);
      },
      getStyle: async (request) => {
        const { default: style } = await import("swagger-ui-dist/swagger-ui.css", { with: { type: "text" } });
        return answer(request, 200, { ...CACHED, "Content-Type": "text/css; charset=utf-8" }, style);
      },
    }),
  ];
}
