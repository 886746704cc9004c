#!/usr/bin/env bun
// `kv`: the store from a shell. What its exit codes mean is in outcome.ts.

import { run } from "./main.ts";
import { EXIT } from "./outcome.ts";
import { endWithoutReader, tell } from "./output.ts";
import { hearSignals } from "./stop.ts";

endWithoutReader();
hearSignals(EXIT.interrupted);
// Bun sends what goes to this machine to a proxy as well, if one is set.
process.env.NO_PROXY = ["localhost,127.0.0.1,::1", process.env.NO_PROXY || process.env.no_proxy].filter(Boolean).join();

try {
  const { code, message } = await run(process.argv.slice(2));
  if (message) tell(message);
  process.exit(code);
} catch (error) {
  console.error(error);
  process.exit(EXIT.fault);
}
