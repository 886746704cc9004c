// A machine that runs scripts: Lua without anything that reaches outside, and with bounds on steps, bytes and time. What a
// script gets at is the same for every run, and it can change none of it.

import { createHash } from "node:crypto";
import * as lauxlib from "fengari/src/lauxlib.js";
import { luaopen_base } from "fengari/src/lbaselib.js";
import { luaopen_math } from "fengari/src/lmathlib.js";
import lopcodes from "fengari/src/lopcodes.js";
import { luaopen_string } from "fengari/src/lstrlib.js";
import { luaopen_table } from "fengari/src/ltablib.js";
import * as lua from "fengari/src/lua.js";
import { useFloatsOnly } from "./lua-numbers.ts";
import { argumentsFrom, pushReply, pushText, replyFrom, textAt } from "./lua-values.ts";
import { PRELUDE } from "./prelude.ts";
import { RedisError, type Reply } from "./reply.ts";

/** Instructions of one run; a limiter's script has some 100. */
const STEPS = 50_000;
/** Bytes of the texts that a run makes. */
const BYTES = 16 * 1024 * 1024;
/** Of a run: nothing else happens in this process meanwhile. */
const TIME_MS = 100;
/** Steps between two looks at the clock. */
const LOOK_MASK = 127;

const { OP_CONCAT } = lopcodes.OpCodesI;
const TEXT_ONLY = Buffer.from("t");
const CHUNK_NAME = Buffer.from("@user_script");

/** What `redis.call` does: an error is returned. */
export type Call = (words: Buffer[]) => Reply;

export interface Script {
  readonly sha: string;
  /** Of the function, in the machine's registry. */
  readonly reference: number;
}

interface Invocation {
  call: Call;
  steps: number;
  bytes: number;
  endsAt: number;
  /** Why it was stopped. */
  stopped?: string;
}

export function shaOf(source: Buffer): string {
  return createHash("sha1").update(source).digest("hex");
}

export class Machine {
  private readonly state = lauxlib.luaL_newstate();
  /** Of the environment of scripts, and of the function that gives it its KEYS and ARGV. */
  private readonly environment: number;
  private readonly give: number;
  private current: Invocation | undefined;

  constructor() {
    useFloatsOnly();
    const { state } = this;
    const libraries = { _G: luaopen_base, math: luaopen_math, string: luaopen_string, table: luaopen_table };
    for (const [name, open] of Object.entries(libraries)) {
      lauxlib.luaL_requiref(state, Buffer.from(name), open, true);
      lua.lua_pop(state, 1);
    }
    this.load(Buffer.from(PRELUDE));
    lua.lua_createtable(state, 0, 0);
    for (const [name, native] of Object.entries(this.natives())) {
      lua.lua_pushcfunction(state, native);
      lua.lua_setfield(state, -2, Buffer.from(name));
    }
    lua.lua_call(state, 1, 2);
    this.give = lauxlib.luaL_ref(state, lua.LUA_REGISTRYINDEX);
    this.environment = lauxlib.luaL_ref(state, lua.LUA_REGISTRYINDEX);
    lua.lua_sethook(state, (_, { i_ci }) => this.step(i_ci), lua.LUA_MASKCOUNT, 1);
  }

  /** Throws a RedisError for what is no Lua. */
  compile(source: Buffer): Script {
    const { state } = this;
    lua.lua_settop(state, 0);
    this.load(withoutShebang(source));
    lua.lua_rawgeti(state, lua.LUA_REGISTRYINDEX, this.environment);
    lua.lua_setupvalue(state, -2, 1);
    return { sha: shaOf(source), reference: lauxlib.luaL_ref(state, lua.LUA_REGISTRYINDEX) };
  }

  /** What a script returns. Throws a RedisError for an error that it ends with, and where it is stopped. */
  run({ reference }: Script, keys: Buffer[], args: Buffer[], call: Call): Reply {
    const { state } = this;
    const invocation: Invocation = { call, steps: 0, bytes: 0, endsAt: performance.now() + TIME_MS };
    this.current = invocation;
    lua.lua_settop(state, 0);
    lua.lua_rawgeti(state, lua.LUA_REGISTRYINDEX, this.give);
    pushReply(state, keys);
    pushReply(state, args);
    lua.lua_call(state, 2, 0);
    lua.lua_rawgeti(state, lua.LUA_REGISTRYINDEX, reference);
    const status = lua.lua_pcall(state, 0, 1, 0);
    const reply = replyFrom(state);
    this.current = undefined;
    lua.lua_settop(state, 0);
    if (invocation.stopped !== undefined) throw new RedisError(`ERR ${invocation.stopped}`);
    if (status !== lua.LUA_OK) throw errorFrom(reply);
    return reply;
  }

  private load(source: Buffer) {
    const { state } = this;
    if (lauxlib.luaL_loadbufferx(state, source, source.length, CHUNK_NAME, TEXT_ONLY) === lua.LUA_OK) return;
    throw new RedisError(`ERR Error compiling script (new function): ${textAt(state, -1)}`);
  }

  /** Called before each instruction. */
  private step({ l_code, l_savedpc, l_base }: lua.CallInfo) {
    const invocation = this.current;
    if (!invocation) return;
    invocation.steps += 1;
    if (invocation.steps > STEPS) this.stop(`a script may take ${STEPS} steps`);
    if ((invocation.steps & LOOK_MASK) === 0 && performance.now() > invocation.endsAt) {
      this.stop(`a script may take ${TIME_MS} ms`);
    }
    const { opcode, B, C } = l_code[l_savedpc - 1] as lua.CallInfo["l_code"][number];
    if (opcode !== OP_CONCAT) return;
    for (let i = l_base + B; i <= l_base + C; i++) {
      const value = this.state.stack[i];
      if (value?.ttisstring()) this.charge(value.vslen());
    }
  }

  /** Counts bytes that are about to be made; a script that makes too many ends here. */
  private charge(bytes: number) {
    if (!this.current) return;
    this.current.bytes += bytes;
    if (!(this.current.bytes <= BYTES)) this.stop(`the texts of a script may have ${BYTES} bytes`);
  }

  /** As often as a script goes on after an error. */
  private stop(reason: string): never {
    if (this.current) this.current.stopped ??= reason;
    pushText(this.state, Buffer.from(reason));
    return lua.lua_error(this.state);
  }

  private natives(): Record<string, lua.Native> {
    const asked = (state: lua.State): Reply => {
      const words = argumentsFrom(state);
      if (!words) return new RedisError("ERR Lua redis lib command arguments must be strings or integers");
      return this.current?.call(words) ?? null;
    };
    return {
      /** Answers an error as a table, for the prelude to raise. */
      call: (state) => {
        const reply = asked(state);
        this.chargeReply(reply);
        pushReply(state, reply);
        return 1;
      },
      sha1hex: (state) => {
        pushText(state, Buffer.from(shaOf(textAt(state, 1))));
        return 1;
      },
      /** Counts so many bytes. */
      charge: (state) => {
        this.charge(lua.lua_tonumber(state, 1));
        return 0;
      },
      /** Counts the bytes of all texts among the arguments. */
      charge_texts: (state) => {
        for (let i = lua.lua_gettop(state); i > 0; i--) {
          if (lua.lua_type(state, i) === lua.LUA_TSTRING) this.charge(lua.lua_rawlen(state, i));
        }
        return 0;
      },
      /** Integers are of 32 bits for fengari, so what is written as one is written as a float without decimals. */
      format: (state) => {
        const pattern = textAt(state, 1)
          .toString("latin1")
          .replaceAll(/%([-+ #0]*\d*)(?:\.\d+)?[di]/g, "%$1.0f");
        pushText(state, Buffer.from(pattern, "latin1"));
        return 1;
      },
      /** Counts steps for what takes as long. */
      take: (state) => {
        if (this.current) this.current.steps += Math.max(0, lua.lua_tonumber(state, 1));
        return 0;
      },
    };
  }

  private chargeReply(reply: Reply) {
    if (Array.isArray(reply)) for (const each of reply) this.chargeReply(each);
    else if (Buffer.isBuffer(reply)) this.charge(reply.length);
  }
}

/** Its first line names the engine and says what the script may do. */
function withoutShebang(source: Buffer): Buffer {
  if (!source.subarray(0, 2).equals(Buffer.from("#!"))) return source;
  const end = source.indexOf("\n");
  const line = source.subarray(2, end < 0 ? source.length : end).toString("latin1");
  if (!/^lua(?:\s|$)/.test(line)) throw new RedisError("ERR Unexpected engine in script shebang");
  return end < 0 ? Buffer.alloc(0) : source.subarray(end);
}

function errorFrom(reply: Reply): RedisError {
  if (reply instanceof RedisError) return reply;
  return new RedisError(`ERR ${Buffer.isBuffer(reply) ? reply : "the script has failed"}`);
}
