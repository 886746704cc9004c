import { expect, test } from "bun:test";
import { newToken, Tokens } from "./tokens.ts";

const reader = newToken(["read"], "auth-a");
const writer = newToken(["write"], "auth-a");
const both = newToken(["read", "write"], "auth-a,auth-b");
const all = newToken(["read", "write"], "*");

const HASH = "0".repeat(64);
test.each([
  ["readwrite:a", /an entry is/],
  [`read:a:${HASH.slice(1)}`, /an entry is/],
  [`read:a:${"A".repeat(64)}`, /an entry is/],
  [`read:a:b:${HASH}`, /an entry is/],
  [`:a:${HASH}`, /an entry is/],
  [`read::${HASH}`, /an entry is/],
  [`admin:a:${HASH}`, /rights are/],
  [`read,:a:${HASH}`, /rights are/],
  [`read:a,*:${HASH}`, /namespaces are/],
  [`read:a,:${HASH}`, /namespaces are/],
  [`read:${"n".repeat(65)}:${HASH}`, /namespaces are/],
  [`read:a:${HASH}\nwrite:b:${HASH}`, /line 2: this token has an entry already/],
])("the entry %p is refused", (text, reason) => {
  expect(() => new Tokens([{ name: "KV_TOKENS", text }])).toThrow(reason);
});

test("a token allows what its entry says", () => {
  const text = `\r\n${reader.entry}\t# ${writer.entry}\n\n  ${both.entry} ${all.entry}\r\n`;
  const tokens = new Tokens([{ name: "KV_TOKENS", text }]);
  expect(tokens.size).toBe(3);
  expect(tokens.grantOf(reader.token)).toEqual({ rights: new Set(["read"]), namespaces: new Set(["auth-a"]) });
  expect(tokens.grantOf(both.token)?.namespaces).toEqual(new Set(["auth-a", "auth-b"]));
  expect(tokens.grantOf(all.token)?.namespaces).toBe("*");
  expect(tokens.grantOf(writer.token)).toBeUndefined();
});
