// The patterns by which Bun's router finds the parts of the other interfaces' paths in the bytes, as `target.ts` has those
// of our own.

import { PATHS } from "./cloudflare-paths.ts";
import { ENTRY } from "./workers.ts";

export const INTERFACE_ROUTES = [...Object.values(PATHS), ENTRY];
