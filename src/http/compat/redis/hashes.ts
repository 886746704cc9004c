// Hashes, as far as the scripts of clients need them: a value of a content type of its own.

import type { Content, Update } from "../../../store/store.ts";
import { type Context, keyOf } from "./arguments.ts";
import type { Command } from "./command.ts";
import { RedisError, type Reply } from "./reply.ts";
import { newContent } from "./strings.ts";
import { deciding, HASH_TYPE, hashIn, textOf } from "./values.ts";

const MOST = Number.POSITIVE_INFINITY;

export const HASHES: Record<string, Command> = {
  HSET: {
    args: [3, MOST],
    plan: ([key, ...pairs], context) => {
      if (pairs.length % 2 === 1) throw new RedisError("ERR wrong number of arguments for 'hset' command");
      const bytes = pairs.reduce((sum, each) => sum + each.length, 0);
      const update: Update<Reply> = deciding(bytes, (found) => {
        const fields = hashIn(found?.content);
        const before = fields.size;
        for (let i = 0; i < pairs.length; i += 2) fields.set(textOf(pairs[i]), textOf(pairs[i + 1]));
        const entry = { content: contentOf(fields, context), expiresAtMs: found?.expiresAtMs ?? null };
        return { entry, answer: fields.size - before };
      });
      return { steps: [{ kind: "update", key: keyOf(key as Buffer, context), update }] };
    },
  },
  HGET: {
    args: [2, 2],
    plan: ([key, field], context) => look(key, context, (fields) => bytesOf(fields.get(textOf(field)))),
  },
  HMGET: {
    args: [2, MOST],
    plan: ([key, ...names], context) =>
      look(key, context, (fields) => names.map((name) => bytesOf(fields.get(textOf(name))))),
  },
  HGETALL: {
    args: [1, 1],
    plan: ([key], context) => look(key, context, (fields) => [...fields].flat().map(bytesOf)),
  },
};

function look(
  key: Buffer | undefined,
  context: Context,
  reply: (fields: Map<string, string>) => Reply,
): ReturnType<Command["plan"]> {
  return { steps: [{ kind: "get", key: keyOf(key as Buffer, context), reply: (entry) => reply(hashIn(entry)) }] };
}

function contentOf(fields: Map<string, string>, context: Context): Content {
  const value = Buffer.from(JSON.stringify([...fields].flat()));
  return { ...newContent(value, context), contentType: HASH_TYPE };
}

function bytesOf(text: string | undefined): Buffer | null {
  return text === undefined ? null : Buffer.from(text, "latin1");
}
