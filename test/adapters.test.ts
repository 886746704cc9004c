// What others have built on key-value stores, over the client: Keyv and abstract-level, each tried by its own suite.

import * as bun from "bun:test";
import { deepStrictEqual, doesNotThrow, fail, notStrictEqual, ok, strictEqual, throws } from "node:assert";
import keyvTestSuite, { keyvIteratorTests } from "@keyv/test-suite";
// @ts-expect-error It has no types.
import levelTestSuite from "abstract-level/test/index.js";
import Keyv from "keyv";
import { createClient } from "../src/client/index.ts";
import { KeyvStore } from "./adapters/keyv.ts";
import { StoreLevel } from "./adapters/level.ts";
import { targets } from "./targets.ts";

const { describe, expect } = bun;
const freshClient = () =>
  createClient({ url: targets.vitess.url, namespace: `adapter-${crypto.randomUUID()}`, timeoutMs: 60_000 });

describe("Keyv", () => {
  const client = freshClient();
  // The cases are written for vitest, which they get as an argument. So vitest itself is not installed, and neither is
  // what else the suite's package names and never loads: see the overrides in package.json.
  const vitest = {
    ...bun,
    it(name: string, run: (context: { expect: typeof expect }) => unknown) {
      bun.test(name, async () => {
        await run({ expect });
      });
    },
  };
  for (const suite of [keyvTestSuite, keyvIteratorTests]) suite(vitest as never, Keyv, () => new KeyvStore(client));
});

describe("abstract-level", () => {
  levelTestSuite({ test, factory: (options: never) => new StoreLevel(freshClient(), options) });

  /** As tape's, for which the cases are written: it ends with the promise, with `end` or with the planned assertion. */
  function test(name: string, run: (t: unknown) => Promise<void> | undefined) {
    bun.test(name, async () => {
      const { promise: ended, resolve: end } = Promise.withResolvers<void>();
      let planned: number | undefined;
      let made = 0;
      const check =
        <Given extends unknown[]>(assertion: (...given: Given) => unknown) =>
        (...given: Given) => {
          assertion(...given);
          made += 1;
          if (made === planned) end();
        };
      const plan = (assertions: number) => {
        planned = assertions;
      };
      const returned = run({
        ...{ is: check(strictEqual), isNot: check(notStrictEqual), same: check(deepStrictEqual), ok: check(ok) },
        ...{ throws: check(throws), doesNotThrow: check(doesNotThrow), pass: check(() => {}), fail: check(fail) },
        ...{ plan, end },
      });
      await (returned ?? ended);
      if (planned !== undefined) expect(made).toBe(planned);
    });
  }
});
