// Gives a tablet's folder a disk of its own, of limited size, that can be filled and freed while it is used: a file that
// is mounted through a loop device.

import { chownSync, mkdirSync, renameSync, rmSync, statfsSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../vitess/support/processes.ts";

/** To copy a tablet's few GB, at most. */
const COMMAND_MS = 120_000;
const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
const PROBE_MB = 16;

export class Disk {
  private readonly image: string;

  constructor(private readonly dir: string) {
    this.image = `${dir}.disk`;
  }

  /** Moves the folder, in which nothing may be open, onto a new disk on which so much is free. */
  async mount(freeMb: number) {
    const [usedMb] = (await command("du", "-sm", this.dir)).split("\t");
    writeFileSync(this.image, "");
    truncateSync(this.image, (Number(usedMb) + freeMb) * 2 ** 20);
    await command("mkfs.ext4", "-q", "-m", "0", this.image);
    const aside = `${this.dir}.aside`;
    renameSync(this.dir, aside);
    mkdirSync(this.dir);
    await command("mount", "-o", "loop", this.image, this.dir);
    const { uid, gid } = statSync(aside);
    chownSync(this.dir, uid, gid);
    await command("cp", "--archive", `${aside}/.`, this.dir);
    rmSync(aside, { recursive: true });
  }

  /** Leaves so little of it free. */
  async fill(leaveMb: number) {
    const { bavail, bsize } = statfsSync(this.dir);
    await command("fallocate", "--length", String(bavail * bsize - leaveMb * 2 ** 20), this.filler);
  }

  free() {
    rmSync(this.filler, { force: true });
  }

  /** Takes the disk away, with all that is on it; again nothing may be open there. */
  async remove() {
    await command("umount", this.dir).catch(() => {});
    for (const path of [this.image, this.dir]) rmSync(path, { recursive: true, force: true });
  }

  private get filler(): string {
    return join(this.dir, "filler");
  }
}

/** Why there can be no such disk on this machine, if so; tried below the folder given. */
export async function diskImpossible(below: string): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "only root may mount a disk";
  const dir = join(below, "disk-probe");
  const disk = new Disk(dir);
  mkdirSync(dir);
  try {
    await disk.mount(PROBE_MB);
    await disk.fill(1);
  } catch (error) {
    return `this machine lets no disk be mounted: ${(error as Error).message.split("\n").slice(0, 2).join(" ")}`;
  } finally {
    await disk.remove();
  }
}

function command(program: string, ...args: string[]): Promise<string> {
  const file = Bun.which(program, { PATH }) ?? program;
  return run({ file, args }, { keepUser: true, signal: AbortSignal.timeout(COMMAND_MS) });
}
