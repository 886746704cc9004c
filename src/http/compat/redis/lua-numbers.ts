// Numbers as scripts of Redis have them. fengari is Lua 5.3 with integers of 32 bits, which would overflow at times in
// milliseconds; Redis's Lua 5.1 knows floating point only, and writes a whole number without a fraction.

import lobject, { type Value } from "fengari/src/lobject.js";
import { luaS_bless } from "fengari/src/lstring.js";
import type { State } from "fengari/src/lua.js";

const { luaO_str2num, luaO_tostring } = lobject;

/** fengari looks these up at each use, and they are all that makes integers out of texts. */
export function useFloatsOnly() {
  lobject.luaO_str2num = (text, into) => {
    const size = luaO_str2num(text, into);
    if (size > 0 && into.ttisinteger()) into.setfltvalue(into.value);
    return size;
  };
  lobject.luaO_tostring = (state: State, value: Value) => {
    const isWhole = !value.ttisinteger() && Number.isInteger(value.value);
    if (!isWhole) return luaO_tostring(state, value);
    value.setsvalue(luaS_bless(state, Buffer.from(String(Number(value.value.toPrecision(14))))));
  };
}
