// The store that compose.yaml has brought up, as its clients and its operator see it.

import { setTimeout as sleep } from "node:timers/promises";
import type { Podman } from "./podman.ts";

const CALL_TIMEOUT_MS = 15_000;
const POLL_MS = 100;

export interface TabletRole {
  /** `vttablet-100` */
  service: string;
  shard: string;
  isPrimary: boolean;
}

/** Calls to the store with a token. */
export class Store {
  readonly #url: string;
  readonly #headers: Record<string, string>;

  constructor(port: number, token: string) {
    this.#url = `http://127.0.0.1:${port}/v1/kv/containers/`;
    this.#headers = { Authorization: `Bearer ${token}` };
  }

  /** The status of storing a key, or undefined without an answer. */
  async put(key: string, value: string): Promise<number | undefined> {
    return (await this.#call(key, { method: "PUT", body: value }))?.status;
  }

  /** The value of a key, or undefined. */
  async get(key: string): Promise<string | undefined> {
    const answer = await this.#call(key, {});
    return answer?.status === 200 ? answer.text() : undefined;
  }

  #call(key: string, init: RequestInit): Promise<Response | undefined> {
    const timeout = AbortSignal.timeout(CALL_TIMEOUT_MS);
    return fetch(this.#url + key, { ...init, headers: this.#headers, signal: timeout }).catch(() => undefined);
  }
}

/** What the cluster knows of its tablets, by vtctldclient in vtctld's container. */
export async function tabletRoles(podman: Podman): Promise<TabletRole[]> {
  const vtctld = await podman.container("vtctld");
  const text = await podman.podman([
    "exec",
    vtctld,
    "vtctldclient",
    "--server=vtctld:15003",
    "GetTablets",
    "--format=json",
  ]);
  const tablets = JSON.parse(text) as { alias: { uid: number }; shard: string; type: number | string }[];
  return tablets.map(({ alias, shard, type }) => ({
    service: `vttablet-${alias.uid}`,
    shard,
    isPrimary: type === 1 || type === "PRIMARY",
  }));
}

/** Whether a tablet's mysqld receives from its shard's primary, and applies what it receives. */
export async function follows(podman: Podman, { service }: TabletRole): Promise<boolean> {
  const socket = `/vt/vt_${(service.split("-")[1] as string).padStart(10, "0")}/mysql.sock`;
  const states = ["connection", "applier"].map(
    (part) => `SELECT SERVICE_STATE FROM performance_schema.replication_${part}_status`,
  );
  const sql = ["--user=vt_dba", "--skip-column-names", `--execute=${states.join(" UNION ALL ")}`];
  const container = await podman.container(service);
  const text = await podman.podman(["exec", container, "mysql", `--socket=${socket}`, ...sql]).catch(() => "");
  return text.trim() === "ON\nON";
}

/** Waits until it holds; returns how many seconds that took, or throws after so many. */
export async function secondsUntil(
  title: string,
  most: number,
  holds: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<number> {
  const begun = performance.now();
  for (;;) {
    const done = await holds();
    const seconds = (performance.now() - begun) / 1000;
    if (done) return seconds;
    if (seconds > most) throw new Error(`not after ${most} s: ${title}`);
    await sleep(POLL_MS, undefined, { signal });
  }
}
