// Calls to the cluster's vtctld, which does what changes a cluster: through its own client.

import type { Parts } from "../install/parts.ts";
import { run } from "../support/processes.ts";
import { LOOPBACK } from "../topology/topology.ts";
import type { Cluster } from "./folder.ts";

export type Vtctl = (args: string[], signal?: AbortSignal) => Promise<string>;

/** Makes a function that calls `vtctldclient` with some arguments and returns what it prints. */
export function vtctl({ topology }: Cluster, parts: Parts): Vtctl {
  const file = parts.programs.vtctldclient;
  // Everything that is asked of it is over in seconds, or will not be: its own limit is an hour.
  const fixed = ["--action-timeout=60s", `--server=${LOOPBACK}:${topology.vtctld.ports.grpc}`, "--log-format=text"];
  return (args, signal) => run({ file, args: [...args, ...fixed] }, { signal });
}
