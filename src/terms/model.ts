// A small world of one shard's primaries and of servers that tell clients what these answer, to be explored completely. The
// real `Terms` decides what may be told, and the real `isMarked` and `isPlanned` what is clear without a wait.
//
// There is one register. Its versions count the writes in the order in which they are executed. Told must be only what is
// linearizable: never an older version than had been told when the read began, and never one that is lost.
//
// Some things take no time here, because that is the worst case. A read begins when it is executed, so that the most has
// been told by then, and its answer comes at once, which makes it the easiest to cover. A lease is renewed at once, which
// makes it the longest. What may be told is told at once, because that binds the most reads. Who waits for a term sees at
// once what makes that needless. Writes take as long as they like on both ways, and so does leaving a mark.
//
// Bounded: what `Size` says; a server has one write at a time, and holds one read, for less than `DEADLINE`. Time goes on
// without end, because only ages are kept.
//
// Left out: several shards, answers without a tag, leases of unequal lengths, marks that nobody acknowledged, hashes that
// collide, a planned change after an emergency reparent that has failed before its entry in Vitess's journal, and a primary
// that comes back after it has shown what is lost, which it can't without being rebuilt.
//
// Time is in whole ticks, and yet `Terms`' margin counts: a lease of 2.2 covers what comes 1 tick late, and not 2, while who
// has a clock that is fast by no more than the margin may take 2 ticks for 2.2.

import { type Tag, termOf } from "../database/tag.ts";
import { isMarked, isPlanned, type Mark, readMark, writeMark } from "./change.ts";
import {
  answers,
  CLEAR,
  catchUp,
  copyOf,
  currentOf,
  factsOf,
  giveUpRead,
  giveUpWrite,
  lose,
  memoryOf,
  NAMES,
  NONE,
  placeOf,
  realTag,
  type Server,
  type State,
  type Term,
  tell,
} from "./model-state.ts";
import type { Terms } from "./terms.ts";

export const LEASE = 2.2;
const DEADLINE = 2;
/** The instant at which a state is, whatever has happened before. */
export const NOW = 100;
/** So old is a commit that is no good even for a read that has been held for long. */
const USELESS = DEADLINE + 1;

export interface Size {
  servers: { reads: boolean; writes: boolean }[];
  /** At most so many of each. */
  terms: number;
  writes: number;
  restarts: 0 | 1;
}

/** What servers go by. */
export interface Rules {
  terms: () => Terms;
  /** The tag of a mysqld that was started again so many times, in a term: the number of the first that looks the same. */
  tag: (term: number, mysqld: number, starts: number) => Tag;
}

type To = (what: string, change: (next: State) => void) => void;

export class Model {
  constructor(
    private readonly size: Size,
    private readonly rules: Rules,
  ) {}

  /** One server knows the first primary, and the others have just been started. */
  first(): State {
    const { servers, terms } = this.size;
    const server = (i: number): Server => ({
      known: Array.from({ length: terms }, (_, term) => (i + term === 0 ? CLEAR : NONE)),
      proved: Array(2 * terms).fill(NONE),
      ...{ readAge: NONE, readTag: 0, readVersion: 0, readIsStale: false },
      ...{ write: "none", writeAge: 0, writeTag: 0, writeVersion: 0 },
    });
    return {
      terms: [{ mysqld: 0, isPlanned: false, shown: 0, wrote: true, mark: 0, starts: 0 }],
      servers: servers.map((_, i) => server(i)),
      ...{ executed: 0, restarts: 0, durable: 0, told: 0, lost: NONE, violation: "" },
    };
  }

  /** All that can happen next, with what comes of it. */
  next(state: State, visit: (next: State, what: string) => void) {
    const to: To = (what, change) => {
      const next = copyOf(state);
      change(next);
      this.renewAll(next);
      visit(next, what);
    };
    to("a tick", (next) => this.tick(next));
    if (state.terms.length < this.size.terms) this.reparents(state, to);
    if (currentOf(state).shown > state.durable) to("a replica has everything", catchUp);
    this.size.servers.forEach((does, who) => {
      if (does.reads) this.reads(state, who, to);
      if (does.writes) this.writes(state, who, to);
      this.renewals(state, who, to);
    });
  }

  private tick(next: State) {
    for (const [who, server] of next.servers.entries()) {
      server.proved.forEach((age, i) => {
        if (age !== NONE) server.proved[i] = age + 1 < USELESS ? age + 1 : NONE;
      });
      // It counts for its lease only.
      if (this.size.servers[who]?.reads && (server.write === "sent" || server.write === "acknowledged")) {
        server.writeAge = Math.min(server.writeAge + 1, USELESS);
      }
      if (server.readAge !== NONE && ++server.readAge === DEADLINE) giveUpRead(server);
      server.known.forEach((waited, term) => {
        if (waited === NONE || waited === CLEAR) return;
        if (waited + 1 < CLEAR) server.known[term] = waited + 1;
        else this.act(next, server, (terms) => terms.cleared(term, LEASE));
      });
    }
  }

  private reparents(state: State, to: To) {
    const { mysqld: from, mark, shown, wrote } = currentOf(state);
    const used = Math.max(...state.terms.map(({ mysqld }) => mysqld));
    for (let mysqld = 0; mysqld <= used + 1; mysqld++) {
      if (mysqld === from || state.terms.some((term) => term.mysqld === mysqld && term.shown === state.lost)) continue;
      const starts = state.terms.findLast((term) => term.mysqld === mysqld)?.starts ?? 0;
      to(`an emergency reparent to ${NAMES[mysqld]}`, (next) => {
        if (shown > next.durable) lose(next, shown);
        next.terms.push({ mysqld, isPlanned: false, shown: next.durable, wrote: false, mark, starts });
      });
      // The entry in the journal of the change before is the first that a term's primary writes.
      if (!wrote) continue;
      to(`a planned reparent to ${NAMES[mysqld]}`, (next) => {
        catchUp(next);
        next.terms.push({ mysqld, isPlanned: true, shown, wrote: false, mark, starts });
      });
    }
  }

  private reads(state: State, who: number, to: To) {
    if (state.servers[who]?.readAge !== NONE) return;
    state.terms.forEach(({ mysqld, shown }, term) => {
      if (!answers(state, term)) return;
      to(`server ${who} reads version ${shown} from ${NAMES[mysqld]}`, (next) => {
        const server = next.servers[who] as Server;
        const tag = this.tagOf(next, term);
        // Whatever tells nothing new does no harm, and need not be held.
        if (shown !== next.told) {
          const read = { readAge: 0, readTag: tag, readVersion: shown, readIsStale: shown < next.told };
          Object.assign(server, read);
        }
        this.meet(next, server, tag);
      });
    });
  }

  private writes(state: State, who: number, to: To) {
    const { write } = state.servers[who] as Server;
    const on = (what: string, change: (server: Server, next: State) => void) =>
      to(what, (next) => change(next.servers[who] as Server, next));
    const sent = state.servers.filter((each) => each.write === "sent").length;
    if (write === "none" && state.executed + sent < this.size.writes) {
      on(`server ${who} sends a write`, (server) => {
        server.write = "sent";
      });
    }
    if (write === "sent" || write === "acknowledged") on(`server ${who} waits for its write no longer`, giveUpWrite);
    if (write === "acknowledged") {
      on(`server ${who} gets the acknowledgement`, (server, next) => {
        const { writeAge, writeTag } = server;
        server.write = "held";
        server.writeAge = 0;
        this.act(next, server, (terms) => terms.acknowledged(writeTag, NOW - writeAge));
        this.meet(next, server, writeTag);
      });
    }
    if (write !== "sent") return;
    const last = state.terms.length - 1;
    on(`the write of server ${who} is acknowledged by ${NAMES[currentOf(state).mysqld]}`, (server, next) => {
      currentOf(next).shown = ++next.executed;
      catchUp(next);
      const writeTag = this.tagOf(next, last);
      Object.assign(server, { write: "acknowledged", writeTag, writeVersion: next.executed });
    });
    if (state.restarts >= this.size.restarts) return;
    state.terms.forEach(({ mysqld }, term) => {
      if (!answers(state, term)) return;
      on(`${NAMES[mysqld]} is started again, and shows the write of server ${who}`, (server, next) => {
        const its = next.terms[term] as Term;
        its.starts++;
        its.shown = ++next.executed;
        next.restarts++;
        giveUpWrite(server);
        if (term < last) lose(next, its.shown);
      });
    });
  }

  /** All leases from the primary of those that have met its term, wherever that shows nobody's write to anybody. */
  private renewAll(next: State) {
    const current = currentOf(next);
    if (current.shown > next.durable) return;
    const tag = this.tagOf(next, next.terms.length - 1);
    next.servers.forEach((server, who) => {
      const { known, proved } = server;
      if (!this.size.servers[who]?.reads || known[termOf(tag)] === NONE || proved[placeOf(tag)] === 0) return;
      current.wrote = true;
      this.act(next, server, (terms) => terms.acknowledged(tag, NOW));
    });
  }

  private renewals(state: State, who: number, to: To) {
    const last = state.terms.length - 1;
    const tag = this.tagOf(state, last);
    const known = state.servers[who]?.known[termOf(tag)];
    const { mysqld, shown, mark } = currentOf(state);
    if (known === NONE || shown > state.durable) {
      to(`server ${who} renews its lease from ${NAMES[mysqld]}`, (next) => {
        catchUp(next);
        const server = next.servers[who] as Server;
        this.act(next, server, (terms) => terms.acknowledged(tag, NOW));
        this.meet(next, server, tag);
      });
    }
    if (known !== CLEAR || mark === last) return;
    to(`server ${who} marks the term`, (next) => {
      catchUp(next);
      currentOf(next).mark = last;
      for (const each of next.servers) if (each.known[termOf(tag)] !== NONE) this.meet(next, each, tag);
    });
  }

  /** An answer with the tag has come: whoever has not met its term begins to wait, or sees that it need not. */
  private meet(next: State, server: Server, tag: Tag) {
    const number = termOf(tag);
    this.act(next, server, (terms) => {
      if (terms.isClear(tag)) return;
      if (server.known[number] === NONE) server.known[number] = 0;
      if (this.isSeenClear(next, tag)) terms.cleared(number, LEASE);
    });
  }

  private isSeenClear(state: State, tag: Tag): boolean {
    return state.terms.some((term, at) => {
      if (!answers(state, at) || this.tagOf(state, at) !== tag) return false;
      const facts = factsOf(state, at);
      const mark = readMark(writeMark(factsOf(state, term.mark), LEASE)) as Mark;
      return isMarked(facts, mark) || isPlanned(facts, mark);
    });
  }

  /** Does something with what the server knows of terms, and tells what may be told then. */
  private act(next: State, server: Server, action: (terms: Terms) => void) {
    const terms = this.termsOf(server);
    action(terms);
    const { clear, provedAt } = memoryOf(terms);
    for (const term of clear.keys()) server.known[term] = CLEAR;
    if (this.size.servers[next.servers.indexOf(server)]?.reads) {
      for (const [tag, at] of provedAt) if (NOW - at < USELESS) server.proved[placeOf(tag)] = NOW - at;
    }
    const { readAge, readTag, readVersion, readIsStale, write, writeTag, writeVersion } = server;
    if (readAge !== NONE && terms.isClear(readTag) && terms.isCovered(readTag, NOW - readAge)) {
      giveUpRead(server);
      tell(next, readVersion, readIsStale);
    }
    if (write === "held" && terms.isClear(writeTag)) {
      giveUpWrite(server);
      tell(next, writeVersion, false);
    }
  }

  private termsOf({ known, proved }: Server): Terms {
    const terms = this.rules.terms();
    const { clear, provedAt } = memoryOf(terms);
    for (let term = 0; term < known.length; term++) if (known[term] === CLEAR) clear.set(term, LEASE);
    for (let i = 0; i < proved.length; i++) {
      if (proved[i] !== NONE) provedAt.set(realTag(i >> 1, 0, i & 1), NOW - (proved[i] as number));
    }
    return terms;
  }

  private tagOf({ terms }: State, at: number): Tag {
    const { mysqld, starts } = terms[at] as Term;
    // It looks the same as an earlier one if nothing of others was acknowledged in between.
    let same = at;
    for (let i = at - 1; i >= 0; i--) {
      const { mysqld: other, wrote } = terms[i] as Term;
      if (other === mysqld) same = i;
      else if (wrote) break;
    }
    return this.rules.tag(same, mysqld, starts);
  }
}
