// Doing the commands of one request: those on one key in their order, and a bound on the values that are held for them.

import { BATCH_BODY_BYTES, BATCH_HELD_BYTES } from "../../../limits.ts";
import type { Caller, Store } from "../../../store/store.ts";
import type { Rights } from "../../rights.ts";
import { Turns } from "../../turns.ts";
import type { Context } from "./arguments.ts";
import { planOf, prepare } from "./commands.ts";
import { execute } from "./program.ts";
import { bytesOf, RedisError, type Reply } from "./reply.ts";
import { joined, type Plan, perform, reads, type Step, together } from "./step.ts";
import { transactionOf } from "./transaction.ts";

/** A value that a write answers can't be asked for again: fewer of these are held than of those that are read. */
const WRITTEN_WEIGHT = 16;

const ANSWER_TOO_LARGE = new RedisError(`ERR the values of an answer are at most ${BATCH_BODY_BYTES} bytes; ask again`);

export interface RunOptions extends Context {
  rights: Rights;
  caller: Caller;
  /** What is answered of a command that failed so; the log is told. */
  errorOf: (error: unknown) => RedisError;
}

interface Planned {
  plan: Plan | RedisError;
  /** How many values its answer may hold. */
  weight: number;
}

export class Run {
  private readonly turns = new Turns();
  private bytesLeft = BATCH_BODY_BYTES;
  /** Whether anything may have been changed. */
  hasWritten = false;

  constructor(
    private readonly store: Store,
    private readonly options: RunOptions,
  ) {}

  async all(commands: Buffer[][]): Promise<Reply[]> {
    await prepare(commands, this.store, this.options.caller);
    const replies: Reply[] = [];
    const held = Math.max(1, Math.floor(BATCH_HELD_BYTES / this.options.maxValueBytes));
    for (const part of inParts(
      commands.map((command) => this.plan(command)),
      held,
    )) {
      replies.push(...(await this.part(part, held)));
    }
    return replies;
  }

  /** All or none of the commands. Throws a RedisError where none happens. */
  async transaction(commands: Buffer[][]): Promise<Reply[]> {
    const transaction = transactionOf(commands, this.options);
    for (const plan of transaction.plans) requireRights(plan, this.options.rights, "exec");
    this.hasWritten = true;
    return (await execute(this.store, transaction, this.options.caller)) as Reply[];
  }

  private plan(command: Buffer[]): Planned {
    try {
      const plan = planOf(command, this.options);
      requireRights(plan, this.options.rights, String(command[0]));
      return { plan, weight: weightOf(plan) };
    } catch (error) {
      return { plan: error instanceof RedisError ? error : this.options.errorOf(error), weight: 0 };
    }
  }

  /** Commands that are begun at once; one that looks at everything waits for those before it, and those behind for it. */
  private async part(part: Planned[], held: number): Promise<Reply[]> {
    const begun: Promise<Reply>[] = [];
    for (const { plan, weight } of part) {
      if (!(plan instanceof RedisError) && "walk" in plan) await Promise.allSettled(begun);
      const answering = this.begin(plan, weight, held);
      begun.push(answering);
      if (!(plan instanceof RedisError) && "walk" in plan) await answering;
    }
    return Promise.all(begun);
  }

  private async begin(plan: Plan | RedisError, weight: number, held: number): Promise<Reply> {
    if (plan instanceof RedisError) return plan;
    // Of what has been done already, nothing is kept back.
    if (weight > 0 && this.bytesLeft <= 0) return ANSWER_TOO_LARGE;
    try {
      if ("reply" in plan) return plan.reply;
      if ("walk" in plan) return await plan.walk(this.store, this.options.caller);
      if ("exclusive" in plan) {
        this.hasWritten = true;
        const reply = await this.turns.inTurns(plan.keys, () => plan.exclusive(this.store, this.options.caller));
        this.bytesLeft -= bytesOf(reply);
        return reply;
      }
      const isWrite = plan.steps.some((step) => !reads(step));
      this.hasWritten ||= isWrite;
      const replies: Reply[] = [];
      for (let start = 0; start < plan.steps.length; start += isWrite ? plan.steps.length : held) {
        const steps = plan.steps.slice(start, isWrite ? undefined : start + held);
        replies.push(
          ...(await together(
            steps.map((step) => this.inTurn(step)),
            isWrite,
          )),
        );
        if (this.bytesLeft < 0 && plan.steps.length > 1) return ANSWER_TOO_LARGE;
      }
      return joined(plan, replies);
    } catch (error) {
      if (error instanceof RedisError) return error;
      return this.options.errorOf(error);
    }
  }

  private inTurn(step: Step): Promise<Reply> {
    return this.turns.inTurn(step.key, reads(step), async () => {
      const reply = await perform(this.store, step, this.options.caller);
      const isFirst = this.bytesLeft === BATCH_BODY_BYTES;
      this.bytesLeft -= bytesOf(reply);
      return this.bytesLeft >= 0 || isFirst || !reads(step) ? reply : ANSWER_TOO_LARGE;
    });
  }
}

function weightOf(plan: Plan): number {
  if ("exclusive" in plan) return plan.keys.length > 0 ? Math.max(WRITTEN_WEIGHT, plan.keys.length) : 0;
  return "steps" in plan ? plan.steps.reduce((sum, step) => sum + weightOfStep(step), 0) : 0;
}

function weightOfStep(step: Step): number {
  if (step.kind === "get") return 1;
  return step.kind === "update" && step.answersValue ? WRITTEN_WEIGHT : 0;
}

/** As many at once as may be held, but one at least. */
function inParts(commands: Planned[], held: number): Planned[][] {
  const parts: Planned[][] = [];
  let weight = Number.POSITIVE_INFINITY;
  for (const command of commands) {
    if (weight + command.weight > held) {
      parts.push([]);
      weight = 0;
    }
    weight += command.weight;
    parts.at(-1)?.push(command);
  }
  return parts;
}

function requireRights(plan: Plan, rights: Rights, name: string) {
  if ("reply" in plan) return;
  const steps = "steps" in plan ? plan.steps : [];
  const isExclusive = "exclusive" in plan;
  const tells = (step: Step) => reads(step) || (step.kind === "update" && step.answersValue === true);
  const needsRead = isExclusive || "walk" in plan || steps.some(tells);
  const needsWrite = isExclusive || steps.some((step) => !reads(step));
  if ((!needsRead || rights.has("read")) && (!needsWrite || rights.has("write"))) return;
  throw new RedisError(`NOPERM this token has no permissions to run the '${name.toLowerCase()}' command`);
}
