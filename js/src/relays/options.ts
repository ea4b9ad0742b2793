/** The options of a space that concern relays: where they are and the token for them. */
import { checkName, kindOf, optionsOf } from "../base/check.js";
import { invalid } from "../base/error.js";

/** Relay addresses (`wss://…`), or the URL of a directory that lists them as `[{ region, url }]`. */
export type Relays = readonly string[] | { directory: string };

/** A token, or a function that is asked for a fresh one before the old one expires. */
export type TokenSource = string | (() => string | Promise<string>);

const TOKEN_BYTES_MAX = 8 * 1024;

export const RELAYS_MAX = 64;

/** A checked copy. Throws `invalid` for anything else. The error does not repeat the value, which may hold a secret. */
export function relaysOf(relays: unknown): Relays {
  if (Array.isArray(relays)) {
    const list: unknown[] = [...(relays as unknown[])];
    if (list.length > RELAYS_MAX) throw invalid(`relays lists at most ${RELAYS_MAX} addresses`);
    return list.map((relay) => {
      checkAddress(relay);
      return relay;
    });
  }
  if (typeof relays !== "object" || relays === null) {
    throw invalid(`relays is a list of addresses, or { directory: "https://…" }, not ${kindOf(relays)}`);
  }
  const { directory } = optionsOf<{ directory?: string }>("relays", relays, ["directory"]);
  checkDirectory(directory);
  return { directory };
}

/** Refuses credentials and queries in an address, because addresses end up in logs. */
export function checkAddress(relay: unknown): asserts relay is string {
  const is = typeof relay === "string" && /^wss?:\/\/[^\s?#@]+$/i.test(relay) && parsed(relay) !== undefined;
  if (!is) throw invalid("a relay's address is ws://… or wss://…, without credentials, query and fragment");
}

function checkDirectory(directory: unknown): asserts directory is string {
  const url = typeof directory === "string" ? parsed(directory) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    throw invalid("the directory of relays is a URL: http://… or https://…, without credentials");
  }
}

function parsed(url: string): URL | undefined {
  try {
    return new URL(url);
  } catch {
    return undefined;
  }
}

/** Throws `invalid` for anything that is not a token. The error does not repeat the value. */
export function checkToken(token: unknown): asserts token is string {
  checkName("a token", token, TOKEN_BYTES_MAX);
}
