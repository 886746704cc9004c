// Nothing but load.

import type { Fault } from "../rig.ts";

const LOAD_MS = 30_000;

export const LOAD: Fault = {
  name: "load",
  title: "nothing but load",
  scope: "cluster",
  run: (rig, signal) => rig.pause(LOAD_MS, signal),
};
