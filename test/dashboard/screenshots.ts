// `npm run screenshots`: pictures of the page for the documents, of a real cluster under load, in both themes.

import { statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { runLoad } from "../../bench/load/run.ts";
import { createClient } from "../../src/client/index.ts";
import { interruption } from "../../src/signals.ts";
import { startServer } from "../../vitess/run/server-process.ts";
import { startSuite } from "../suite.ts";
import { launchChromium, openDashboard } from "./chromium.ts";

const FOLDER = join(import.meta.dirname, "../../src/dashboard/screenshots");
const SIZE = { width: 1200, height: 760 };
/** Enough for some points of the last hour. */
const LOAD_SECONDS = 50;
const LARGEST_BYTES = 150_000;
const NAMESPACE = "shop";

async function fill(url: string) {
  const kv = createClient({ url, namespace: NAMESPACE });
  const cart = { items: [{ sku: "tea-09", count: 2, price: "4.90" }], currency: "EUR" };
  const puts = Array.from({ length: 12 }, (_, i) => kv.putJson(`cart/${1000 + i}`, cart, { ttl: 3_600 }));
  const session = kv.putJson(
    "session/7f3a",
    { user: "ada", cart: 1004 },
    { ttl: 1_500, metadata: { device: "phone" } },
  );
  const others = ["flags/checkout", "flags/search", "stock/tea-09", "stock/mug-01"].map((key) => kv.put(key, "1"));
  await Promise.all([...puts, session, ...others]);
}

const stop = interruption().signal;
const suite = await startSuite(stop);
try {
  const server = await startServer({ DATABASE_URL: suite.targets.vitess.databaseUrl });
  const browser = await launchChromium();
  try {
    await fill(server.url);
    const load = { workload: "a" as const, clients: [40], keys: 2_000, seconds: LOAD_SECONDS, warmup: 0 };
    const loaded = runLoad({ url: server.url, ...load });
    await sleep((LOAD_SECONDS - 15) * 1000);
    for (const colorScheme of ["light", "dark"] as const) {
      const { page } = await openDashboard(browser, server.url, `#keys?namespace=${NAMESPACE}&key=session%252F7f3a`, {
        ...{ colorScheme, viewport: SIZE },
      });
      const take = async (name: string) => {
        const path = join(FOLDER, `${name}-${colorScheme}.png`);
        await page.screenshot({ path });
        const { size } = statSync(path);
        if (size > LARGEST_BYTES) throw new Error(`${path} has ${size} bytes`);
      };
      await page.getByRole("treeitem", { name: "session/", exact: true }).click();
      await page.getByRole("treeitem", { name: "7f3a", exact: true }).waitFor();
      await page.getByRole("region", { name: "Value" }).waitFor();
      await take("keys");
      await page.getByRole("link", { name: "State" }).click();
      await page.locator(".chart canvas").first().waitFor();
      await page.getByText("99% take up to").waitFor();
      await take("state");
    }
    await loaded;
  } finally {
    await browser.close();
    await server.stop();
  }
} finally {
  await suite.stop();
}
// A listener of signals would keep it running.
process.exit(0);
