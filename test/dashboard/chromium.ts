// Debian's Chromium, as the tests of the page use it: what goes wrong in a page is never passed over.

import { expect } from "bun:test";
import type { AxeResults } from "axe-core";
import { source as axe } from "axe-core";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

/** Debian's package `chromium` has it. */
export const CHROMIUM = Bun.which("chromium");
/** No action of a test may hang until the test does. */
const ACTION_MS = 30_000;

export const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };

export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM as string });
}

/** A page of its own session, and what has gone wrong in it: errors of scripts, and what its policy has refused. */
export interface OpenPage {
  page: Page;
  problems: string[];
  close: () => Promise<void>;
}

/** Opens the page of a server at a place in it. */
export async function openDashboard(
  browser: Browser,
  url: string,
  place = "",
  options: BrowserContextOptions = {},
): Promise<OpenPage> {
  // The tests' own script is none of the page's.
  const context = await browser.newContext({ bypassCSP: false, ...options });
  context.setDefaultTimeout(ACTION_MS);
  const page = await context.newPage();
  const problems: string[] = [];
  page.on("pageerror", ({ message }) => problems.push(message));
  page.on("console", (message) => {
    const text = message.text();
    // Refusals of the server are answers, which the page tells of in its own words.
    if (message.type() === "error" && !text.startsWith("Failed to load resource")) problems.push(text);
  });
  page.on("dialog", (dialog) => dialog.accept());
  await page.goto(`${url}/dashboard${place}`);
  return { page, problems, close: () => context.close() };
}

/** Nothing is wrong with it for those who can't see, or use no pointer. */
export async function expectAccessible(page: Page) {
  // Evaluated by the debugger, to which the page's policy does not apply.
  await page.evaluate(axe);
  const { violations } = (await page.evaluate("axe.run({ resultTypes: ['violations'] })")) as AxeResults;
  expect(
    violations.map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => [html, failureSummary])]),
  ).toEqual([]);
}

/** Nothing has to be moved sideways to be seen. */
export async function expectFits(page: Page) {
  const [content, window] = await page.evaluate<[number, number]>("[document.documentElement.scrollWidth, innerWidth]");
  expect(content).toBeLessThanOrEqual(window);
}
