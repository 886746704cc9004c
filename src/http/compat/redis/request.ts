// Which commands a request holds: in its path, or as JSON in its body.

import { z } from "zod";
import { BATCH_OPERATIONS } from "../../../limits.ts";
import { isRepaired, isWellEscaped, unescaped } from "../../escapes.ts";
import { parseJson } from "../../json.ts";
import { rawPath } from "../../path.ts";
import { RedisError } from "./reply.ts";

export const REDIS_PATH = "/redis/";
/** The parameter that a token may come in. */
const TOKEN = "_token";

const command = z.array(z.union([z.string(), z.number(), z.boolean()])).min(1);
const commands = z.array(command).max(BATCH_OPERATIONS);

const MALFORMED_PATH = new RedisError(
  "ERR the path or a parameter holds a malformed percent escape, or bytes that must be escaped",
);
const NOT_JSON = new RedisError("ERR the body is not JSON in UTF-8");
const NO_COMMAND = new RedisError("ERR the body is not a command: an array of text, numbers and booleans");
const NO_COMMANDS = new RedisError(`ERR the body is not an array of up to ${BATCH_OPERATIONS} commands`);

export interface Target {
  /** As it was sent. */
  namespace: string;
  /** What stands behind the namespace, unescaped. */
  parts: Buffer[];
}

/** Throws a RedisError for a path that may have been repaired on its way, or that can't be read. */
export function targetOf(request: { url: string }): Target {
  const [namespace = "", ...parts] = rawPath(request).slice(REDIS_PATH.length).split("/");
  // A slash at the end of a namespace's own path says nothing.
  if (parts.length === 1 && parts[0] === "") parts.pop();
  return { namespace, parts: parts.map(bytesOf) };
}

/** The parameters in their order, as arguments: of `?EX=60&NX` EX, 60 and NX. */
export function queryArguments({ url }: { url: string }): Buffer[] {
  return parametersOf(url)
    .filter((pair) => pair[0]?.toString() !== TOKEN)
    .flat();
}

export function tokenParameter({ url }: { url: string }): string | undefined {
  return parametersOf(url)
    .find((pair) => pair[0]?.toString() === TOKEN)?.[1]
    ?.toString("latin1");
}

/** The command that is a body's. */
export function commandIn(body: Buffer): Buffer[] {
  const { data } = command.safeParse(documentIn(body));
  if (!data) throw NO_COMMAND;
  return data.map((argument) => Buffer.from(String(argument)));
}

/** The commands that are a body. */
export function commandsIn(body: Buffer): Buffer[][] {
  const { data } = commands.safeParse(documentIn(body));
  if (!data) throw NO_COMMANDS;
  return data.map((words) => words.map((argument) => Buffer.from(String(argument))));
}

function documentIn(body: Buffer): unknown {
  try {
    return parseJson(body);
  } catch {
    throw NOT_JSON;
  }
}

function parametersOf(url: string): Buffer[][] {
  const start = url.indexOf("?");
  if (start < 0 || start === url.length - 1) return [];
  return url
    .slice(start + 1)
    .split("&")
    .map((pair) => {
      const [name = "", ...value] = pair.split("=");
      const texts = value.length > 0 ? [name, value.join("=")] : [name];
      return texts.map((text) => bytesOf(text.replaceAll("+", " ")));
    });
}

function bytesOf(segment: string): Buffer {
  if (isRepaired(segment) || !isWellEscaped(segment)) throw MALFORMED_PATH;
  return Buffer.from(unescaped(segment), "latin1");
}
