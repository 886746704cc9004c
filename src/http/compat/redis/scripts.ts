// The scripts that a process knows by their digests. SCRIPT LOAD keeps a script in the database as well, for other
// processes and for later, in a namespace whose name no caller can give.

import { type Caller, type EntryKey, entryKey, type Store } from "../../../store/store.ts";
import { DEFAULT_CONTENT_TYPE } from "../../content.ts";
import { Machine, type Script, shaOf } from "./machine.ts";
import { RedisError } from "./reply.ts";

/** Larger scripts are none of the kind that these are for. */
const SOURCE_BYTES = 64 * 1024;
/** Known at once; then all are forgotten, and are loaded again when they are needed. */
const SCRIPTS = 1_000;
const KEPT_MS = 30 * 24 * 3600 * 1000;
const NAMESPACE = "~scripts";
const SHA = /^[0-9a-f]{40}$/;
const TOO_LONG = new RedisError(`ERR a script may have ${SOURCE_BYTES} bytes`);

/** A script with the machine that it was made for. */
export interface Loaded {
  machine: Machine;
  script: Script;
}

export class Scripts {
  private machine = new Machine();
  private known = new Map<string, Loaded>();

  /** Throws a RedisError for what is no Lua. */
  load(source: Buffer): Loaded {
    if (source.length > SOURCE_BYTES) throw TOO_LONG;
    const known = this.known.get(shaOf(source));
    if (known) return known;
    if (this.known.size >= SCRIPTS) {
      this.machine = new Machine();
      this.known.clear();
    }
    const loaded = { machine: this.machine, script: this.machine.compile(source) };
    this.known.set(loaded.script.sha, loaded);
    return loaded;
  }

  find(sha: Buffer): Loaded | undefined {
    return this.known.get(sha.toString("latin1").toLowerCase());
  }

  /** Makes a script known that another process has kept. */
  async fetch(sha: Buffer, store: Store, caller: Caller): Promise<void> {
    const name = sha.toString("latin1").toLowerCase();
    if (this.known.has(name) || !SHA.test(name)) return;
    const entry = await store.get(keyOf(name), caller);
    if (entry) this.load(entry.value);
  }

  /** Keeps a script, for a month from its latest SCRIPT LOAD. */
  async keep(source: Buffer, store: Store, caller: Caller): Promise<string> {
    const { sha } = this.load(source).script;
    const content = { value: source, contentType: DEFAULT_CONTENT_TYPE, metadata: null };
    await store.put(keyOf(sha), { ...content, expiry: { afterMs: KEPT_MS } }, {}, caller);
    return sha;
  }
}

function keyOf(sha: string): EntryKey {
  return entryKey(NAMESPACE, sha);
}
