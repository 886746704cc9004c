// For every test: longer than any of them should take, on a slow machine too.

import { setDefaultTimeout } from "bun:test";

setDefaultTimeout(120_000);
