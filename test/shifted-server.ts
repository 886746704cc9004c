// The real server with the clock of its process set wrong by TEST_CLOCK_SHIFT_MS: a fake of the one thing that a test
// can't change for a process alone.

const shiftMs = Number(process.env.TEST_CLOCK_SHIFT_MS);
const { now } = Date;

class ShiftedDate extends Date {
  constructor(...given: unknown[]) {
    if (given.length === 0) super(now() + shiftMs);
    else super(...(given as [number]));
  }

  static override now() {
    return now() + shiftMs;
  }
}

globalThis.Date = ShiftedDate as DateConstructor;
await import("../src/server.ts");

export {};
