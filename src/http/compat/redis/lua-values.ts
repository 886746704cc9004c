// Values on their way between scripts and commands, as Redis converts them (RESP2).

import * as lua from "fengari/src/lua.js";
import { RedisError, type Reply, Status } from "./reply.ts";

/** Of an array in an array and so on: a table may hold itself. */
const DEPTH = 8;
const [ERR, OK] = [Buffer.from("err"), Buffer.from("ok")];

export function pushText(state: lua.State, text: Uint8Array) {
  lua.lua_pushlstring(state, text, text.length);
}

export function textAt(state: lua.State, index: lua.Index): Buffer {
  return Buffer.from(lua.lua_tostring(state, index) ?? []);
}

export function pushReply(state: lua.State, reply: Reply) {
  lua.lua_checkstack(state, 4);
  if (reply === null) lua.lua_pushboolean(state, false);
  else if (typeof reply === "number" || typeof reply === "bigint") lua.lua_pushnumber(state, Number(reply));
  else if (Buffer.isBuffer(reply)) pushText(state, reply);
  else if (reply instanceof Status) pushField(state, OK, reply.text);
  else if (reply instanceof RedisError) pushField(state, ERR, reply.message);
  else {
    lua.lua_createtable(state, reply.length, 0);
    for (const [i, each] of reply.entries()) {
      pushReply(state, each);
      lua.lua_rawseti(state, -2, i + 1);
    }
  }
}

function pushField(state: lua.State, name: Uint8Array, text: string) {
  lua.lua_createtable(state, 0, 1);
  pushText(state, Buffer.from(text));
  lua.lua_setfield(state, -2, name);
}

/** The words of a command, from all that is on the stack; undefined where one is neither a text nor a number. */
export function argumentsFrom(state: lua.State): Buffer[] | undefined {
  const words: Buffer[] = [];
  for (let i = 1; i <= lua.lua_gettop(state); i++) {
    const type = lua.lua_type(state, i);
    if (type === lua.LUA_TNUMBER) words.push(Buffer.from(numberText(lua.lua_tonumber(state, i))));
    else if (type === lua.LUA_TSTRING) words.push(textAt(state, i));
    else return undefined;
  }
  return words;
}

/** Whole numbers have all their digits. */
function numberText(number: number): string {
  return Number.isInteger(number) && Math.abs(number) < 2 ** 63 ? String(BigInt(number)) : String(number);
}

/** Takes the value at the top of the stack: numbers lose their fractions, and an array ends at its first nil. */
export function replyFrom(state: lua.State, depth = 0): Reply {
  const reply = topReply(state, depth);
  lua.lua_pop(state, 1);
  return reply;
}

function topReply(state: lua.State, depth: number): Reply {
  switch (lua.lua_type(state, -1)) {
    case lua.LUA_TSTRING:
      return textAt(state, -1);
    case lua.LUA_TNUMBER:
      return integerIn(lua.lua_tonumber(state, -1));
    case lua.LUA_TBOOLEAN:
      return lua.lua_toboolean(state, -1) ? 1 : null;
    case lua.LUA_TTABLE:
      return tableReply(state, depth);
    default:
      return null;
  }
}

function tableReply(state: lua.State, depth: number): Reply {
  if (depth > DEPTH) return new RedisError("ERR reached lua stack limit");
  lua.lua_checkstack(state, 4);
  const error = field(state, ERR);
  if (error) return new RedisError(error.toString().replaceAll(/[\r\n]/g, " "));
  const status = field(state, OK);
  if (status) return new Status(status.toString());
  const items: Reply[] = [];
  for (let i = 1; lua.lua_rawgeti(state, -1, i) !== lua.LUA_TNIL; i++) items.push(replyFrom(state, depth + 1));
  lua.lua_pop(state, 1);
  return items;
}

/** Of the table at the top of the stack, looked up without metatables, whose functions have no bound by now. */
function field(state: lua.State, name: Uint8Array): Buffer | undefined {
  pushText(state, name);
  const isText = lua.lua_rawget(state, -2) === lua.LUA_TSTRING;
  const text = isText ? textAt(state, -1) : undefined;
  lua.lua_pop(state, 1);
  return text;
}

function integerIn(number: number): bigint {
  if (Number.isNaN(number)) return 0n;
  return BigInt.asIntN(64, BigInt(Math.trunc(Math.max(-(2 ** 63), Math.min(number, 2 ** 63 - 1024)))));
}
