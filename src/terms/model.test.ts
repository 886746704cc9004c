// Explores the whole of small worlds: nothing is told that is not linearizable, and each part of the protocol is needed
// for it. TRACE=1 prints how it goes wrong without one.

import { describe, expect, test } from "bun:test";
import { type Tag, termOf } from "../database/tag.ts";
import { LEASE, Model, NOW, type Rules, type Size } from "./model.ts";
import { keyOf, realTag, type State } from "./model-state.ts";
import { Terms } from "./terms.ts";

/** For machines that have more to do. */
const TIMEOUT_MS = 60_000;

const rules: Rules = { terms: () => new Terms(LEASE), tag: realTag };
const [both, reader, writer] = [
  { reads: true, writes: true },
  { reads: true, writes: false },
  { reads: false, writes: true },
];

const worlds: Record<string, Size> = {
  "two servers, another primary": { servers: [both, both], terms: 2, writes: 1, restarts: 0 },
  "a reader and a writer, another primary": { servers: [reader, writer], terms: 2, writes: 2, restarts: 0 },
  "a primary that is started again, and another": { servers: [both], terms: 2, writes: 2, restarts: 1 },
  "a primary after another, also the first one again": { servers: [both], terms: 3, writes: 1, restarts: 0 },
};

/**
 * Goes through all that can happen, what is near before what is far: how many states there are, or the shortest way to
 * a violation, step by step.
 */
function explore(size: Size, rules: Rules): { states: number; violation: string[] } {
  const model = new Model(size, rules);
  const seen = new Set<string>();
  let trace: string[] = [];
  let reached: Reached[] = [{ state: model.first(), what: "", from: undefined }];
  while (reached.length > 0 && trace.length === 0) {
    const further: Reached[] = [];
    for (const from of reached) {
      model.next(from.state, (state, what) => {
        const each = { state, what, from };
        if (state.violation && trace.length === 0) trace = [...wayTo(each), state.violation];
        const key = keyOf(state);
        if (seen.has(key)) return;
        seen.add(key);
        further.push(each);
      });
    }
    reached = further;
  }
  return { states: seen.size, violation: trace };
}

interface Reached {
  state: State;
  what: string;
  from: Reached | undefined;
}

function wayTo(reached: Reached): string[] {
  const way: string[] = [];
  for (let at = reached; at.from; at = at.from) way.unshift(at.what);
  return way;
}

describe("what is told is linearizable", () => {
  for (const [name, size] of Object.entries(worlds)) {
    test(
      name,
      () => {
        const { states, violation } = explore(size, rules);
        expect(violation).toEqual([]);
        // So that a world that has shrunk by mistake is seen.
        expect(states).toBeGreaterThan(5_000);
      },
      TIMEOUT_MS,
    );
  }
});

/** Nobody waits for a term to be clear. */
class Impatient extends Terms {
  override isClear(tag: Tag): boolean {
    this.cleared(termOf(tag), LEASE);
    return true;
  }
}

/** A lease is good for whoever answers. */
class Anybodys extends Terms {
  override acknowledged(_tag: Tag, sentAt: number) {
    super.acknowledged(0, sentAt);
  }
  override isCovered(_tag: Tag, receivedAt: number): boolean {
    return super.isCovered(0, receivedAt);
  }
}

/** Only reads wait until a term is clear. */
class OnlyReadsWait extends Terms {
  override isClear(): boolean {
    return true;
  }
}

/** A lease begins with its acknowledgement. */
class FromItsAcknowledgement extends Terms {
  override acknowledged(tag: Tag) {
    super.acknowledged(tag, NOW);
  }
}

/** Leases are as long as waits by any clock. */
class WithoutMargin extends Terms {
  override isCovered(tag: Tag, receivedAt: number): boolean {
    return super.isCovered(tag, receivedAt - 0.1 * LEASE);
  }
}

const wrong: Record<string, Partial<Rules> & { size?: Partial<Size> }> = {
  "no wait for a term to be clear": { terms: () => new Impatient(LEASE) },
  "a lease whoever answers": { terms: () => new Anybodys(LEASE) },
  "a tag of the server without what it has executed of others": {
    tag: (_term, mysqld, starts) => realTag(mysqld, mysqld, starts),
    size: { terms: 3 },
  },
  "acknowledgements that do not wait": { terms: () => new OnlyReadsWait(LEASE) },
  "a tag without when the mysqld was started": {
    tag: (term, mysqld) => realTag(term, mysqld, 0),
    size: { restarts: 1 },
  },
  "a lease from when its acknowledgement came": {
    terms: () => new FromItsAcknowledgement(LEASE),
    size: { writes: 2 },
  },
  "a lease without a margin": { terms: () => new WithoutMargin(LEASE) },
};

describe("it would not be, by", () => {
  for (const [name, { size, ...rule }] of Object.entries(wrong)) {
    test(
      name,
      () => {
        const world: Size = { servers: [both], terms: 2, writes: 1, restarts: 0, ...size };
        const { violation } = explore(world, { ...rules, ...rule });
        expect(violation).not.toEqual([]);
        if (process.env.TRACE) console.log(`${name}:\n${violation.map((each, i) => `  ${i + 1}. ${each}`).join("\n")}`);
        expect(violation.at(-1)).toMatch(/is told, though/);
      },
      TIMEOUT_MS,
    );
  }
});
