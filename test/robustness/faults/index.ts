// All faults, in the order in which they are run.

import type { Fault } from "../rig.ts";
import { REPARENT } from "./reparent.ts";

export const FAULTS: Fault[] = [REPARENT];
