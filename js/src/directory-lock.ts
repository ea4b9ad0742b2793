/**
 * One process at a time: a file that names the holder. A holder that has died is recognised by its
 * process being gone, or where the system tells when a process started, by another having its number.
 */
import { randomUUID } from "node:crypto";
import { link, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { EyotError } from "./error.js";

const LOCK = "eyot.lock";
/** Folders that this very process holds, whichever copy of this package opened them. */
const HELD = Symbol.for("eyot.folders");

/** Takes the folder. Returns how to let it go. */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const held = heldHere();
  const place = await realpath(folder);
  if (held.has(place)) throw taken(folder, process.pid);
  held.add(place);
  try {
    await take(folder);
  } catch (error) {
    held.delete(place);
    throw error;
  }
  return async () => {
    held.delete(place);
    await rm(join(folder, LOCK), { force: true });
  };
}

async function take(folder: string): Promise<void> {
  const lock = join(folder, LOCK);
  const own = join(folder, `${LOCK}.${randomUUID()}`);
  await writeFile(own, `${process.pid} ${await startOf(process.pid)}`);
  try {
    // Whoever links its file to the name first has the lock; nobody ever sees it half written.
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
  // Of all who found it stale, one moves it away. Should that be another's new lock, it goes back.
  await rename(lock, aside).catch(() => undefined);
  const moved = await contentOf(aside);
  if (moved !== undefined && moved !== holder) await linked(aside, lock);
  await rm(aside, { force: true });
}

async function isAlive(pid: number, start: string): Promise<boolean> {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  const now = await startOf(pid);
  if (now !== "" && start !== "") return now === start;
  // This process would have known.
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** When a process started, in a form that only serves to tell it from another; empty where the system keeps it to itself. */
async function startOf(pid: number): Promise<string> {
  const stat = await contentOf(`/proc/${pid}/stat`);
  const boot = await contentOf("/proc/sys/kernel/random/boot_id");
  // The name, in parentheses, may hold anything. After it come the state and, 19 fields on, the start.
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

function heldHere(): Set<string> {
  const global = globalThis as { [HELD]?: Set<string> };
  return (global[HELD] ??= new Set());
}

function taken(folder: string, pid: number): EyotError {
  return new EyotError("storage", `${folder} is open already, in process ${pid}`);
}
