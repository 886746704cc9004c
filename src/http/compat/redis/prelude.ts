// What scripts have to work with, written in Lua: libraries with bounds, which nobody can change. Not there is what has no
// bound on its time: patterns of texts, sorting; and what reaches outside, or makes code out of texts.

export const PRELUDE = `
local native = ...
local charge, charge_texts, take, call = native.charge, native.charge_texts, native.take, native.call
local assert, error, getmetatable, next, pairs, pcall = assert, error, getmetatable, next, pairs, pcall
local select, setmetatable, tonumber, tostring, type = select, setmetatable, tonumber, tostring, type
local rawunpack = table.unpack
local MOST_RESULTS = 1000

local function refuse()
  error("Attempt to modify a readonly table", 2)
end
local function readonly(fields)
  return setmetatable({}, { __index = fields, __newindex = refuse, __metatable = false })
end

local function unpack(list, first, last)
  first, last = first or 1, last or #list
  if last - first >= MOST_RESULTS then error("too many results to unpack", 2) end
  return rawunpack(list, first, last)
end
local function following(list, i)
  i = i + 1
  local value = list[i]
  if value ~= nil then return i, value end
end
local function ipairs(list)
  return following, list, 0
end

-- A whole number has no decimals, as where it is joined to a text.
local function text_of(value)
  if type(value) == "number" then return value .. "" end
  return tostring(value)
end

local text = string
local function charged(work)
  return function(...)
    charge_texts(...)
    return work(...)
  end
end
local rep, format, len, byte = text.rep, text.format, text.len, text.byte
local strings = {
  byte = function(s, first, last)
    first = first or 1
    last = last or first
    if last - first >= MOST_RESULTS or (last < 0 and #s >= MOST_RESULTS) then error("too many results", 2) end
    return byte(s, first, last)
  end,
  char = text.char,
  format = function(pattern, ...)
    charge_texts(pattern, ...)
    return format(native.format(pattern), ...)
  end,
  len = function(s) return len(s) + 0 end,
  lower = charged(text.lower),
  rep = function(s, times)
    if times > 0 then charge(len(s) * (times + 0)) end
    return rep(s, times)
  end,
  reverse = charged(text.reverse),
  sub = charged(text.sub),
  upper = charged(text.upper),
}
-- Methods of texts are looked up in the library itself.
for name in pairs(text) do
  text[name] = strings[name]
end
getmetatable("").__metatable = false

local insert, remove, concat = table.insert, table.remove, table.concat
local tables = {
  concat = function(list, between, first, last)
    between, first, last = between or "", first or 1, last or #list
    for i = first, last do
      local each = list[i]
      charge(len(between) + (type(each) == "string" and len(each) or 32))
    end
    return concat(list, between, first, last)
  end,
  insert = function(list, ...)
    if select("#", ...) > 1 then take(#list) end
    return insert(list, ...)
  end,
  remove = function(list, ...)
    if select("#", ...) > 0 then take(#list) end
    return remove(list, ...)
  end,
  unpack = unpack,
}

local floor, ceil = math.floor, math.ceil
local numbers = {
  abs = math.abs, exp = math.exp, fmod = math.fmod, huge = math.huge, log = math.log, max = math.max, min = math.min,
  modf = math.modf, pi = math.pi, sqrt = math.sqrt,
  ceil = function(x) return ceil(x) + 0 end,
  floor = function(x) return floor(x) + 0 end,
  pow = function(x, y) return x ^ y end,
}

local redis = {
  call = function(...)
    local reply = call(...)
    if type(reply) == "table" and reply.err then error(reply, 0) end
    return reply
  end,
  pcall = function(...) return call(...) end,
  error_reply = function(text) return { err = (string.sub(text, 1, 1) == "-") and string.sub(text, 2) or text } end,
  status_reply = function(text) return { ok = text } end,
  sha1hex = native.sha1hex,
  log = function() end,
  setresp = function() end,
  replicate_commands = function() return true end,
  LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
}

local globals = {
  assert = assert, error = error, getmetatable = getmetatable, ipairs = ipairs, next = next, pairs = pairs, pcall = pcall,
  select = select, setmetatable = setmetatable, tonumber = tonumber, tostring = text_of, type = type, unpack = unpack,
  math = readonly(numbers), redis = readonly(redis), server = readonly(redis), string = readonly(strings),
  table = readonly(tables),
}
local environment = setmetatable({}, {
  __index = function(_, name)
    local value = globals[name]
    if value == nil then
      error("Script attempted to access nonexistent global variable '" .. text_of(name) .. "'", 2)
    end
    return value
  end,
  __newindex = refuse,
  __metatable = false,
})
return environment, function(keys, args)
  globals.KEYS, globals.ARGV = keys, args
end
`;
