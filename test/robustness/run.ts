// `npm run robustness`: runs every fault under load, one after another, on a cluster of its own.

import { FAULTS } from "./faults/index.ts";
import { Rig } from "./rig.ts";

const rig = new Rig({ dataDir: "/tmp/kvh", portBase: 27000, shards: 2, tablets: 3 });
try {
  await rig.open();
  for (const fault of FAULTS) {
    await fault.run(rig, new AbortController().signal);
    await rig.mend();
  }
} finally {
  await rig.close();
}
