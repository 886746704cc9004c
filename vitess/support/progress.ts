// Shows what is being waited for: one rewritten line in a terminal, one line per step and then one every
// ten seconds where output goes to a file.

const running = new Map<string, { since: number; detail: string }>();
const terminal = process.stderr.isTTY === true;
let timer: ReturnType<typeof setInterval> | undefined;

/** Runs `work` as a named step; `report` says how far it is. */
export async function step<T>(title: string, work: (report: (detail: string) => void) => Promise<T>): Promise<T> {
  const state = { since: performance.now(), detail: "" };
  running.set(title, state);
  timer ??= setInterval(show, terminal ? 200 : 10_000);
  if (!terminal) print(`… ${title}`);
  try {
    const result = await work((detail) => {
      state.detail = detail;
    });
    print(`✔ ${title} (${seconds(state.since)})`);
    return result;
  } catch (error) {
    print(`✘ ${title} (${seconds(state.since)})`);
    throw error;
  } finally {
    running.delete(title);
    if (running.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  }
}

function show() {
  const line = [...running]
    .map(([title, { since, detail }]) => `${title}${detail && `: ${detail}`} (${seconds(since)})`)
    .join(" · ");
  if (terminal) process.stderr.write(`\r\x1b[2K… ${line.slice(0, (process.stderr.columns ?? 80) - 3)}`);
  else print(`… ${line}`);
}

function print(line: string) {
  process.stderr.write(`${terminal ? "\r\x1b[2K" : ""}${line}\n`);
}

function seconds(since: number) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}
