// What all rendered files have in common: the cluster that they describe, and the line that says where they come from.

import { DEFAULTS } from "../run/folder.ts";
import { newSettings } from "./settings.ts";

/** Of the cluster that `npm start` makes. */
export const settings = newSettings(DEFAULTS.shards, DEFAULTS.tablets, DEFAULTS.portBase);

/** A comment, for whichever kind of file. */
export const GENERATED = "Rendered from topology.ts by `npm run render`; a test compares them.";
