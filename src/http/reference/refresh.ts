// `npm run reference`: brings openapi.json and README.md up to date with what the calls are declared as.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { asFile, OPENAPI_FILE } from "./document.ts";
import { filled } from "./tables.ts";

const README = join(import.meta.dirname, "../README.md");

writeFileSync(OPENAPI_FILE, asFile());
writeFileSync(README, filled(readFileSync(README, "utf8")));
