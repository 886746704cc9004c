// How far long work is: a line on standard error that is drawn anew, and only where that is a terminal.

const DRAW_MS = 200;

export interface Progress {
  /** Counts what is done; `bytes` are of what `totalBytes` is about. */
  add: (entries: number, bytes?: number) => void;
  /** Sets how much there will be, once it is known. */
  expect: (total: { entries?: number; bytes?: number }) => void;
  /** Leaves the terminal as it was. */
  end: () => void;
}

export function startProgress(
  what: string,
  { stream = process.stderr as Pick<NodeJS.WriteStream, "isTTY" | "write">, now = () => performance.now() } = {},
): Progress {
  const startedAt = now();
  const done = { entries: 0, bytes: 0 };
  let total: { entries?: number; bytes?: number } = {};
  let drawnAt = Number.NEGATIVE_INFINITY;

  function draw() {
    if (!stream.isTTY || now() - drawnAt < DRAW_MS) return;
    drawnAt = now();
    stream.write(`\r\u001b[K${what} ${progressText(done, total, (now() - startedAt) / 1000)}`);
  }
  return {
    add(entries, bytes = 0) {
      done.entries += entries;
      done.bytes += bytes;
      draw();
    },
    expect(known) {
      total = known;
      draw();
    },
    end() {
      if (drawnAt > Number.NEGATIVE_INFINITY) stream.write("\r\u001b[K");
    },
  };
}

/** Counts, the rate so far, and what remains at that rate where the total is known. */
export function progressText(
  done: { entries: number; bytes: number },
  total: { entries?: number; bytes?: number },
  seconds: number,
): string {
  const part = total.bytes ? done.bytes / total.bytes : total.entries ? done.entries / total.entries : undefined;
  const count = (number: number) => Math.round(number).toLocaleString("en");
  return [
    total.entries ? `${count(done.entries)} of ${count(total.entries)}` : count(done.entries),
    ...(seconds > 0 ? [`${count(done.entries / seconds)}/s`] : []),
    ...(done.bytes ? [`${(done.bytes / 1e6).toFixed(1)} MB`] : []),
    ...(part
      ? [`${Math.min(100, Math.floor(part * 100))} %, ${clock(Math.max(0, seconds / part - seconds))} left`]
      : []),
  ].join(", ");
}

function clock(seconds: number): string {
  const whole = Math.round(seconds);
  const pad = (number: number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`;
}
