/** The addresses of relays that an application gives: as a list, or as the URL of a relay directory. */
import { invalid } from "../base/error.js";

/** Relay addresses (`wss://…`), or the URL of a directory that lists them as `[{ region, url }]`. */
export type Relays = readonly string[] | { directory: string };

/** Throws `invalid` for anything else. The error does not repeat the value, which may hold a secret by mistake. */
export function checkRelays(relays: unknown): asserts relays is Relays {
  if (Array.isArray(relays)) relays.forEach(checkAddress);
  else checkDirectory((relays as { directory?: unknown } | null)?.directory);
}

/** Refuses credentials and queries in an address, because addresses end up in logs. */
export function checkAddress(relay: unknown): asserts relay is string {
  const is = typeof relay === "string" && /^wss?:\/\/[^\s?#@]+$/i.test(relay) && parsed(relay) !== undefined;
  if (!is) throw invalid("a relay's address is ws://… or wss://…, without credentials, query and fragment");
}

function checkDirectory(directory: unknown): asserts directory is string {
  const url = typeof directory === "string" ? parsed(directory) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    throw invalid("relays is a list of addresses, or a directory's URL: http://… or https://…, without credentials");
  }
}

function parsed(url: string): URL | undefined {
  try {
    return new URL(url);
  } catch {
    return undefined;
  }
}
