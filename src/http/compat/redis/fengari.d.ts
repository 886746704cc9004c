// What is used of fengari, which comes without types: Lua's C API, in which strings are bytes.

declare module "fengari/src/lua.js" {
  /** A Lua state; opaque but for what `limits.ts` reads of it. */
  export interface State {
    top: number;
    stack: { ttisstring(): boolean; vslen(): number }[];
  }
  export type Index = number;
  export const LUA_OK: number;
  export const LUA_MULTRET: number;
  export const LUA_MASKCOUNT: number;
  export const LUA_REGISTRYINDEX: number;
  export const LUA_TNIL: number;
  export const LUA_TBOOLEAN: number;
  export const LUA_TNUMBER: number;
  export const LUA_TSTRING: number;
  export const LUA_TTABLE: number;
  export type Native = (state: State) => number;
  export function lua_upvalueindex(i: number): Index;
  export function lua_call(state: State, args: number, results: number): void;
  export function lua_checkstack(state: State, slots: number): boolean;
  export function lua_createtable(state: State, items: number, fields: number): void;
  export function lua_error(state: State): never;
  export function lua_geti(state: State, index: Index, i: number): number;
  export function lua_getfield(state: State, index: Index, name: Uint8Array): number;
  export function lua_gettop(state: State): number;
  export function lua_insert(state: State, index: Index): void;
  export function lua_pcall(state: State, args: number, results: number, handler: number): number;
  export function lua_pop(state: State, values: number): void;
  export function lua_pushboolean(state: State, value: boolean): void;
  export function lua_pushcfunction(state: State, native: Native): void;
  export function lua_pushlstring(state: State, bytes: Uint8Array, length: number): void;
  export function lua_pushnil(state: State): void;
  export function lua_pushnumber(state: State, value: number): void;
  export function lua_pushvalue(state: State, index: Index): void;
  export function lua_rawget(state: State, index: Index): number;
  export function lua_rawlen(state: State, index: Index): number;
  export function lua_rawgeti(state: State, index: Index, i: number): number;
  export function lua_rawseti(state: State, index: Index, i: number): void;
  export function lua_sethook(
    state: State,
    hook: ((state: State, at: { i_ci: CallInfo }) => void) | null,
    mask: number,
    count: number,
  ): void;
  export function lua_setfield(state: State, index: Index, name: Uint8Array): void;
  export function lua_setmetatable(state: State, index: Index): void;
  export function lua_settop(state: State, index: Index): void;
  export function lua_setupvalue(state: State, index: Index, upvalue: number): unknown;
  export function lua_toboolean(state: State, index: Index): boolean;
  export function lua_tonumber(state: State, index: Index): number;
  export function lua_tostring(state: State, index: Index): Uint8Array | null;
  export function lua_type(state: State, index: Index): number;
  export interface CallInfo {
    l_base: number;
    l_savedpc: number;
    l_code: { opcode: number; B: number; C: number }[];
  }
}

declare module "fengari/src/lauxlib.js" {
  import type { Native, State } from "fengari/src/lua.js";
  export const LUA_LOADED_TABLE: Uint8Array;
  export function luaL_loadbufferx(
    state: State,
    bytes: Uint8Array,
    length: number,
    name: Uint8Array,
    mode: Uint8Array,
  ): number;
  export function luaL_newstate(): State;
  export function luaL_ref(state: State, table: number): number;
  export function luaL_requiref(state: State, name: Uint8Array, open: Native, global: boolean): void;
  export function luaL_unref(state: State, table: number, reference: number): void;
}

declare module "fengari/src/lobject.js" {
  import type { State } from "fengari/src/lua.js";
  export interface Value {
    value: number;
    ttisinteger(): boolean;
    setfltvalue(value: number): void;
    setsvalue(text: unknown): void;
  }
  const lobject: {
    luaO_str2num: (text: Uint8Array, into: Value) => number;
    luaO_tostring: (state: State, value: Value) => void;
  };
  export default lobject;
}

declare module "fengari/src/lopcodes.js" {
  const lopcodes: { OpCodesI: { OP_CONCAT: number } };
  export default lopcodes;
}

declare module "fengari/src/lbaselib.js" {
  import type { Native } from "fengari/src/lua.js";
  export const luaopen_base: Native;
}
declare module "fengari/src/lmathlib.js" {
  import type { Native } from "fengari/src/lua.js";
  export const luaopen_math: Native;
}
declare module "fengari/src/lstrlib.js" {
  import type { Native } from "fengari/src/lua.js";
  export const luaopen_string: Native;
}
declare module "fengari/src/ltablib.js" {
  import type { Native } from "fengari/src/lua.js";
  export const luaopen_table: Native;
}

declare module "fengari/src/lstring.js" {
  import type { State } from "fengari/src/lua.js";
  export function luaS_bless(state: State, bytes: Uint8Array): unknown;
}
