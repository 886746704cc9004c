// JSON that names a field twice is refused, and no other.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseJson } from "./json.ts";

const parse = (text: string) => parseJson(Buffer.from(text));

describe("a field that is named twice", () => {
  test.each([
    '{"a":1,"a":1}',
    String.raw`{"a":1,"\u0061":2}`,
    '{"b":[{"a":1,"c":{},"a":2}]}',
    '{"__proto__":1,"__proto__":2}',
    '{"1":1,"1":2}',
    '{"":1, "" : 2}',
    String.raw`{"\\\"":1,"\\\"":2}`,
    '{"a"\t:1,"b":2,"a"\r\n:3}',
  ])("is refused in %s", (text) => {
    expect(() => parse(text)).toThrow("twice");
  });

  test.each([
    '{"a":{"a":{"a":1}}}',
    '[{"a":1},{"a":2}]',
    String.raw`{"a":"\"a\":","b":"{\"a\":1,\"a\":2}"}`,
    String.raw`{"a":"\\","b":1}`,
    '{"a":"b","b":"a: "}',
    '{"__proto__":{"a":1},"a":2}',
  ])("is not found in %s", (text) => {
    expect(parse(text)).toEqual(JSON.parse(text));
  });

  test("is looked for however deep a document is", () => {
    const deep = (inner: string) => `${"[".repeat(100_000)}${inner}${"]".repeat(100_000)}`;
    expect(() => parse(deep('{"a":1}'))).not.toThrow();
    expect(() => parse(deep('{"a":1,"a":1}'))).toThrow("twice");
  });

  test("is found wherever a document gets one", () => {
    const property = fc.property(fc.json(), fc.string(), (text, name) => {
      expect(parse(text)).toEqual(JSON.parse(text));
      const field = `${JSON.stringify(name)}:${text}`;
      expect(parse(`{${field}}`)).toEqual(JSON.parse(`{${field}}`));
      expect(() => parse(`[{${field},"other${name.length}":0,${field}}]`)).toThrow("twice");
    });
    fc.assert(property, { numRuns: 500 });
  });
});
