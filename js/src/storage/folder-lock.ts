/**
 * Locks a folder for one process, with a file that names the process. A lock is stale if that process has ended. Where
 * the system says when a process started, a lock is also stale if another process has got the same number since.
 */
import { randomUUID } from "node:crypto";
import { link, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { EyotError } from "../base/error.js";

const LOCK = "eyot.lock";
/** The folders that this process has locked. Global, because several copies of this package may be loaded. */
const HELD = Symbol.for("eyot.folders");

/** A folder that this process has locked. */
export class FolderLock {
  readonly #folder: string;
  readonly #place: string;
  readonly #held: Held = { isClosing: false, freed: Promise.resolve() };
  #free: () => void = () => undefined;

  private constructor(folder: string, place: string) {
    this.#folder = folder;
    this.#place = place;
    this.#held.freed = new Promise((resolve) => (this.#free = resolve));
    heldHere().set(place, this.#held);
  }

  /** Locks the folder. Waits for whoever in this process is about to unlock it. */
  static async take(folder: string): Promise<FolderLock> {
    const place = await realpath(folder);
    for (let held = heldHere().get(place); held !== undefined; held = heldHere().get(place)) {
      if (!held.isClosing) throw taken(folder, process.pid);
      await held.freed;
    }
    const lock = new FolderLock(folder, place);
    try {
      await take(folder);
    } catch (error) {
      lock.#end();
      throw error;
    }
    return lock;
  }

  /** It will be unlocked soon. */
  closing(): void {
    this.#held.isClosing = true;
  }

  async unlock(): Promise<void> {
    try {
      await rm(join(this.#folder, LOCK), { force: true });
    } finally {
      this.#end();
    }
  }

  #end(): void {
    heldHere().delete(this.#place);
    this.#free();
  }
}

interface Held {
  isClosing: boolean;
  freed: Promise<void>;
}

async function take(folder: string): Promise<void> {
  const lock = join(folder, LOCK);
  const own = join(folder, `${LOCK}.${randomUUID()}`);
  await writeFile(own, `${process.pid} ${await startOf(process.pid)}`);
  try {
    // Linking is atomic: one process gets the name, and the file that it names is complete.
    while (!(await linked(own, lock))) await clearIfStale(folder, lock);
  } finally {
    await rm(own, { force: true });
  }
}

async function clearIfStale(folder: string, lock: string): Promise<void> {
  const holder = await contentOf(lock);
  if (holder === undefined) return;
  const [pid = "", start = ""] = holder.split(" ");
  if (await isAlive(Number(pid), start)) throw taken(folder, Number(pid));
  const aside = `${lock}.${randomUUID()}`;
  // Several processes may find the lock stale, and one of them may already have replaced it. Whoever moved away a new
  // lock puts it back.
  await rename(lock, aside).catch(() => undefined);
  const moved = await contentOf(aside);
  if (moved !== undefined && moved !== holder) await linked(aside, lock);
  await rm(aside, { force: true });
}

async function isAlive(pid: number, start: string): Promise<boolean> {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  const now = await startOf(pid);
  if (now !== "" && start !== "") return now === start;
  // The number is ours, but this process does not hold the folder: the lock is from an earlier process.
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** When a process started, to tell it from another with the same number. Empty where the system does not say. */
async function startOf(pid: number): Promise<string> {
  const stat = await contentOf(`/proc/${pid}/stat`);
  const boot = await contentOf("/proc/sys/kernel/random/boot_id");
  // The name, in parentheses, may contain spaces and parentheses. After it come the state and, 19 fields on, the start.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields?.[0] === "Z") return "ended";
  return fields?.[19] === undefined || boot === undefined ? "" : `${boot.trim()}/${fields[19]}`;
}

async function linked(own: string, lock: string): Promise<boolean> {
  try {
    await link(own, lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function contentOf(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(() => undefined);
}

function heldHere(): Map<string, Held> {
  const global = globalThis as { [HELD]?: Map<string, Held> };
  return (global[HELD] ??= new Map());
}

function taken(folder: string, pid: number): EyotError {
  return new EyotError("storage", `${folder} is open already, in process ${pid}`);
}
