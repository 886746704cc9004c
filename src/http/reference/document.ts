// The OpenAPI document, made of what the calls are declared as.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiResponseObject,
  type ZodOpenApiResponsesObject,
} from "zod-openapi";
import { PROBLEMS, type ProblemCode } from "../codes.ts";
import { type Answer, type Body, type Operation, problemsOf } from "../operation.ts";
import { OPERATIONS } from "../operations.ts";
import { pathParameters } from "../path.ts";
import { inMarkdown } from "./tables.ts";

/** What the server answers at /openapi.json, and what a change of the contract shows up in. */
export const OPENAPI_FILE = join(import.meta.dirname, "../openapi.json");

const HEADERS = {
  "X-Request-Id": z
    .string()
    .describe("What logs call this request: the id that came with it, or a new one.")
    .meta({ header: { id: "RequestId" } }),
  "Server-Timing": z
    .string()
    .optional()
    .describe(
      "Where the request has `KV-Server-Timing`: milliseconds in the server's queue, at the database, and in all. Not on Workers.",
    )
    .meta({ header: { id: "ServerTiming" } }),
};

/** What each header of a problem says. */
const PROBLEM_HEADERS = {
  Allow: z.string().describe("The methods that this path takes."),
  Connection: z.literal("close").describe("The connection takes no further request."),
  "Retry-After": z.string().regex(/^\d+$/).optional().describe("Seconds after which to try again."),
  "WWW-Authenticate": z.string().describe("What the token lacks (RFC 6750)."),
};

const problem = z
  .strictObject({
    type: z.literal("about:blank"),
    title: z.string().describe("The status in words."),
    status: z.number().int(),
    code: z.string().describe("Stable, for programs."),
    detail: z.string().describe("A sentence for people. It never holds a key or a value."),
    request_id: z.string().describe("What `X-Request-Id` says."),
  })
  .describe("A problem (RFC 9457).");
const PROBLEM = "Problem";

/** Up to so many codes make the name of an answer that several calls share. */
const NAMED_CODES = 3;

const ABOUT = `A key-value store over HTTP whose storage is sharded, replicated MySQL. Each key is linearizable, and an expired key is gone at its millisecond.

A call on what is stored refuses a parameter that is unknown or given twice. After a 4xx nothing was changed. Whatever is not in this document is answered 404 \`no_such_route\`, or 405 \`method_not_allowed\` with \`Allow\`.`;

/** The document as it stands in its file. */
export function asFile(): string {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../../../package.json"), "utf8"));
  return `${JSON.stringify(openApi(version), undefined, 2)}\n`;
}

function openApi(version: string): object {
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {};
  for (const [id, operation] of Object.entries(OPERATIONS)) {
    paths[operation.path] = {
      ...paths[operation.path],
      [operation.method.toLowerCase()]: documented(id, operation),
      ...(operation.head && { head: documentedHead(id, operation) }),
    };
  }
  return createDocument(
    {
      openapi: "3.1.1",
      info: {
        title: "vitess-kv",
        version,
        description: ABOUT,
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      servers: [{ url: "/" }],
      // Where the server has no tokens nobody needs one.
      security: [{}, { token: [] }],
      paths,
      components: {
        schemas: { [PROBLEM]: problem },
        securitySchemes: {
          token: { type: "http", scheme: "bearer", description: "A token, where the server has tokens (RFC 6750)." },
        },
      },
    },
    { override: asDocumented },
  );
}

type Override = Extract<
  NonNullable<NonNullable<Parameters<typeof createDocument>[1]>["override"]>,
  (...args: never) => void
>;

/** What is said of a schema where zod's own way of saying it would help nobody. */
const asDocumented: Override = ({ jsonSchema, zodSchema, io }) => {
  // Its pattern is a whole calendar, and the format means the same.
  if ("format" in jsonSchema && jsonSchema.format === "date-time") delete jsonSchema.pattern;
  const { def } = zodSchema._zod;
  // A number of a query string, which is read from a text.
  if (io === "input" && def.type === "pipe" && def.out._zod.def.type === "number") {
    const { $schema: _, ...number } = z.toJSONSchema(def.out);
    delete (jsonSchema as { pattern?: string }).pattern;
    Object.assign(jsonSchema, number);
  }
};

function documented(operationId: string, operation: Operation): ZodOpenApiOperationObject {
  const { summary, description, path, query, headers, body, open } = operation;
  const names = parametersOf(path);
  return {
    operationId,
    summary,
    ...(description && { description }),
    ...(open && { security: open === "everywhere" ? [] : [{}, { token: [] }] }),
    requestParams: {
      ...(names.length > 0 && {
        path: z.object(Object.fromEntries(names.map((name) => [name, pathParameters[name]]))),
      }),
      ...(query && { query }),
      ...(headers && { header: headers }),
    },
    ...(body && {
      requestBody: {
        required: body.json !== undefined && !body.optional,
        description: body.description,
        content: content(body),
      },
    }),
    responses: responses(operation),
  };
}

/** HEAD is answered as GET is, without bodies. */
function documentedHead(id: string, operation: Operation): ZodOpenApiOperationObject {
  const { responses, ...get } = documented(id, operation);
  const bodiless = Object.entries(responses).map(([status, { content: _content, id: _id, ...response }]) => [
    status,
    response,
  ]);
  return {
    ...get,
    operationId: id.replace(/^get/, "head"),
    summary: operation.head,
    responses: Object.fromEntries(bodiless),
  };
}

function responses(operation: Operation): ZodOpenApiResponsesObject {
  const links = linksAfter(operation);
  const answered = Object.entries(operation.answers).map(
    ([status, answer]) => [status, { ...response(answer), ...(links && { links }) }] as const,
  );
  const problems = Map.groupBy(problemsOf(operation), (code) => PROBLEMS[code].status);
  const refused = [...problems].map(([status, codes]) => [String(status), shared(codes)] as const);
  return Object.fromEntries([...answered, ...refused]);
}

/** After a PUT come the calls of what it has put, and of what is below that. */
function linksAfter({ method, path }: Operation) {
  if (method !== "PUT") return undefined;
  const parameters = Object.fromEntries(parametersOf(path).map((name) => [name, `$request.path.${name}`]));
  const after = Object.entries(OPERATIONS).filter(([, other]) => other.path.startsWith(path));
  return Object.fromEntries(after.map(([operationId]) => [operationId, { operationId, parameters }]));
}

const parametersOf = (path: string) =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as keyof typeof pathParameters);

function response({ description, headers, body }: Answer): ZodOpenApiResponseObject {
  return {
    description,
    headers: z.object({ ...headers?.shape, ...HEADERS }),
    ...(body && { content: content(body) }),
  };
}

const made = new Map<string, ZodOpenApiResponseObject>();

/** The same answer of two calls is one object, which the document can then name. */
function shared(codes: ProblemCode[]): ZodOpenApiResponseObject {
  const name = codes.join("-");
  const response = made.get(name) ?? problemResponse(codes);
  made.set(name, response);
  return response;
}

function problemResponse(codes: ProblemCode[]): ZodOpenApiResponseObject {
  const headers = codes.flatMap((code) => PROBLEMS[code].header ?? []);
  const status = PROBLEMS[codes[0] as ProblemCode].status;
  return {
    ...(codes.length <= NAMED_CODES && { id: codes.join("-") }),
    description: codes.map((code) => `- \`${code}\`: ${inMarkdown(PROBLEMS[code].detail)}`).join("\n"),
    headers: z.object({ ...Object.fromEntries(headers.map((name) => [name, PROBLEM_HEADERS[name]])), ...HEADERS }),
    content: {
      "application/problem+json": {
        schema: {
          allOf: [
            { $ref: `#/components/schemas/${PROBLEM}` },
            { properties: { status: { const: status }, code: { enum: codes } } },
          ],
        },
      },
    },
  };
}

function content({ json, types = [] }: Body) {
  const others = types.map((type) => [type, type.startsWith("text/") ? { schema: z.string() } : {}]);
  return { ...(json && { "application/json": { schema: json } }), ...Object.fromEntries(others) };
}
