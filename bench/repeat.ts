// A load of one thing after the other.

/** Runs it again and again for so many seconds. */
export async function repeat(run: () => Promise<unknown>, seconds: number, signal: AbortSignal) {
  const begun = performance.now();
  const cpu = process.cpuUsage();
  const passed = () => (performance.now() - begun) / 1000;
  let runs = 0;
  for (; passed() < seconds; runs++) {
    signal.throwIfAborted();
    await run();
  }
  const { user, system } = process.cpuUsage(cpu);
  return { runs, seconds: passed(), cpuSeconds: (user + system) / 1e6 };
}
