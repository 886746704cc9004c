// A fake, until the app does it: POST /v1/kv/{ns}, each operation as its single call.

import { asciiJson } from "../encoding.ts";
import { problem } from "./fake-increment.ts";

type Answer = (request: Request) => Promise<Response>;
type Operation = { [name: string]: unknown; op: string } & {
  [name in "key" | "key_base64" | "value" | "value_base64" | "if_match" | "if_none_match" | "content_type"]?: string;
};

const REQUESTS: Record<string, [method: string, suffix: string]> = {
  get: ["GET", ""],
  head: ["HEAD", ""],
  put: ["PUT", ""],
  delete: ["DELETE", ""],
  expire: ["PUT", "/ttl"],
  persist: ["DELETE", "/ttl"],
  increment: ["POST", "/increment"],
};

export async function fakeBatch(request: Request, answer: Answer): Promise<Response> {
  const text = await request.text();
  const { operations } = JSON.parse(text) as { operations: Operation[] };
  if (operations.length > 1_000 || Buffer.byteLength(text) > 8 * 1024 * 1024) return problem(413, "body_too_large");
  const results: object[] = [];
  for (const operation of operations) results.push(await resultOf(operation, request, answer));
  return Response.json({ results }, { headers: { "X-Request-Id": "batch" } });
}

async function resultOf(operation: Operation, batch: Request, answer: Answer): Promise<object> {
  const { op, key, key_base64, value, value_base64, if_match, if_none_match, content_type, metadata, ...rest } =
    operation;
  const bytes = key === undefined ? Buffer.from(key_base64 as string, "base64") : Buffer.from(key);
  const [method, suffix] = REQUESTS[op] as [string, string];
  const authorization = batch.headers.get("Authorization") ?? undefined;
  const given = {
    ...{ "If-Match": if_match, "If-None-Match": if_none_match, "Content-Type": content_type },
    Authorization: authorization,
  };
  const headers = new Headers(Object.entries(given).filter((pair): pair is [string, string] => pair[1] !== undefined));
  if (metadata !== undefined) headers.set("KV-Metadata", asciiJson(metadata));
  const { if: condition, ...document } = rest;
  const query = op === "put" ? rest : { if: condition };
  const url = `${batch.url}/${escaped(bytes)}${suffix}`;
  const pairs = Object.entries(query).filter(([, given]) => given !== undefined);
  const body = op === "put" ? (value ?? Buffer.from(value_base64 as string, "base64")) : JSON.stringify(document);
  const search = new URLSearchParams(pairs.map(([name, given]): [string, string] => [name, String(given)]));
  const single = new Request(search.size ? `${url}?${search}` : url, {
    ...{ method, headers },
    ...((method === "PUT" || method === "POST") && { body }),
  });
  const response = await answer(single);
  const isRead = op === "get" || op === "head";
  if (response.ok && isRead) return readResult(response, `${url}/ttl`, headers, op, answer);
  const content = await response.text();
  return {
    status: response.status,
    ...(response.ok && { etag: response.headers.get("ETag") ?? undefined }),
    ...(method === "HEAD" && response.status === 404 && { code: "not_found" }),
    ...(content !== "" && JSON.parse(content)),
  };
}

async function readResult(response: Response, ttlUrl: string, headers: Headers, op: string, answer: Answer) {
  const bytes = Buffer.from(await response.arrayBuffer());
  const ttl = (await (await answer(new Request(ttlUrl, { headers }))).json()) as object;
  const metadata = response.headers.get("KV-Metadata");
  return {
    status: 200,
    etag: response.headers.get("ETag"),
    content_type: response.headers.get("Content-Type"),
    ...(metadata && { metadata: JSON.parse(metadata) }),
    bytes: Number(response.headers.get("Content-Length")),
    ...(op === "get" && inJson("value", bytes)),
    ...ttl,
  };
}

/** As text where it is UTF-8. */
export function inJson(name: string, bytes: Buffer): object {
  const text = bytes.toString("utf8");
  return Buffer.from(text).equals(bytes) ? { [name]: text } : { [`${name}_base64`]: bytes.toString("base64") };
}

export const escaped = (bytes: Buffer) => bytes.toString("hex").replace(/../g, "%$&");
