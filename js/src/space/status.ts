/** Builds the public `Status`: an immutable object that is replaced only if something in it has changed. */
import type { EngineStatus } from "../engine/instance.js";
import { EyotError, isCode } from "../base/error.js";
import type { Status } from "./types.js";

export const STATUS_AT_FIRST: Status = freeze({
  state: "local",
  synced: false,
  unsaved: 0,
  unsent: 0,
  behind: {},
  peers: 0,
  quarantined: 0,
  storage: { kind: "memory" },
});

/**
 * The status now, or `last` itself if nothing has changed. `reached` comes from `Reach`, `storage` from who opened it,
 * `refused` from the links to replicas, the rest from the engine.
 */
export function nextStatus(
  last: Status,
  now: EngineStatus,
  reached: Pick<Status, "state" | "error">,
  storage: Status["storage"],
  refused: EyotError | undefined,
): Status {
  const { error: failure, ...rest } = now;
  // A storage error is shown first: unsaved commits are at greater risk than unsent ones.
  const known = failure && (failure.code === "storage" || reached.error === undefined);
  const error = (known ? errorOf(last.error, failure) : reached.error) ?? refused;
  const status = { ...rest, state: reached.state, storage, ...(error && { error }) };
  return same(last, status) ? last : freeze(status);
}

/** The final status of a space: closed. `error` is why, unless the application closed it. */
export function lastStatus(last: Status, error?: EyotError): Status {
  return freeze({ ...last, state: "closed", ...(error && { error }) });
}

const UNDONE: Readonly<Record<Status["state"], string>> = {
  local: "this space has no relays",
  connecting: "no relay has answered yet",
  syncing: "the relay has not said so yet",
  live: "the relay has not said so yet",
  offline: "this space is offline",
  denied: "the relay does not let this replica in",
  closed: "this space is closed",
};

/** The error of a wait for relays that took too long, with what is wrong with them. */
export function late({ message }: EyotError, { state, error }: Status): EyotError {
  return new EyotError("timeout", `${message}: ${error?.message ?? UNDONE[state]}`, error && { cause: error });
}

function errorOf(last: EyotError | undefined, error: { code: string; message: string }): EyotError {
  if (last?.code === error.code && last.message === error.message) return last;
  return new EyotError(isCode(error.code) ? error.code : "wasm", error.message);
}

function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof Error || b instanceof Error) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && same(a[key as keyof typeof a], b[key as keyof typeof b]));
}

function freeze(status: Status): Status {
  Object.freeze(status.behind);
  Object.freeze(status.storage);
  if (status.relay !== undefined) Object.freeze(status.relay);
  return Object.freeze(status);
}
