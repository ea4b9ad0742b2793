/** What the relay reads from files: keys, a secret, a token. What it says of mistakes is what the native relay says. */
import { closeSync, openSync, readSync } from "node:fs";
import { checkKeys, type Keys } from "../access/keys.js";
import { messageOf } from "../base/error.js";
import { Mistake } from "./command-line.js";

/** The largest file that is read. */
const FILE_BYTES_MAX = 1024 * 1024;
/** The same as in the protocol. */
const TOKEN_BYTES_MAX = 8 * 1024;
const SECRET_BYTES_MIN = 32;

/** What the operating system says, in its words. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "No such file or directory",
  EISDIR: "Is a directory",
  EACCES: "Permission denied",
  EPERM: "Operation not permitted",
  ENOTDIR: "Not a directory",
  EEXIST: "File exists",
  EROFS: "Read-only file system",
  ENOSPC: "No space left on device",
  EADDRINUSE: "Address already in use",
  EADDRNOTAVAIL: "Cannot assign requested address",
};

export function reasonOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return (typeof code === "string" ? REASONS[code] : undefined) ?? messageOf(error);
}

/** Keys in a file: a JWK, an array or a set of them. Throws a `Mistake` that names the file. */
export function readKeys(file: string): Keys {
  return within(file, () => parseKeys(readText(file)));
}

export function readSecret(file: string): Keys {
  return within(file, () => {
    const secret = readText(file).trim();
    if (/^(?:[{["\ufeff]|-----|ssh-|ecdsa-|https?:\/\/)/.test(secret)) {
      throw new Mistake("this looks like a key that everybody may know; keys are given with --jwt-key");
    }
    if (new TextEncoder().encode(secret).length < SECRET_BYTES_MIN) {
      throw new Mistake(`a secret has at least ${SECRET_BYTES_MIN} bytes`);
    }
    return { secret };
  });
}

/** A token is one line of visible characters. */
export function readToken(file: string): string {
  return within(file, () => {
    const token = readText(file).trim();
    if (token === "") throw new Mistake("the file is empty");
    if (token.length > TOKEN_BYTES_MAX) throw new Mistake(`a token has at most ${TOKEN_BYTES_MAX} bytes`);
    if (!/^[\x21-\x7e]+$/.test(token)) throw new Mistake("a token has no spaces and no characters beside ASCII");
    return token;
  });
}

export function readText(file: string): string {
  const bytes = Buffer.alloc(FILE_BYTES_MAX + 1);
  // Some files never end.
  const opened = openSync(file, "r");
  let length = 0;
  try {
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = readSync(opened, bytes, length, bytes.length - length, null);
    }
  } finally {
    closeSync(opened);
  }
  if (length > FILE_BYTES_MAX) throw new Mistake(`more than ${FILE_BYTES_MAX} bytes`);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(0, length));
  } catch {
    throw new Mistake("stream did not contain valid UTF-8");
  }
}

function parseKeys(content: string): Keys {
  const text = content.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
  if (text === "") throw new Mistake("the file is empty");
  if (!/^[{[]/.test(text)) throw new Mistake(noJson(text));
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new Mistake(`not JSON: ${messageOf(error)}`);
  }
  const { keys } = json as { keys?: unknown };
  if (!Array.isArray(json) && keys !== undefined && !Array.isArray(keys)) throw new Mistake("`keys` is not an array");
  const list = (Array.isArray(json) ? json : Array.isArray(keys) ? keys : [json]) as unknown[];
  if (list.some((jwk) => typeof jwk === "object" && jwk !== null && "d" in jwk)) {
    throw new Mistake("this is a private key; a relay is given the public one");
  }
  if (list.length === 0) throw new Mistake("there is no key in the file");
  try {
    checkKeys(list as JsonWebKey[]);
  } catch (error) {
    throw new Mistake(messageOf(error).replace(/^eyot: /, ""));
  }
  return list as JsonWebKey[];
}

function noJson(text: string): string {
  if (text.startsWith("\ufeff")) return "the file begins with a byte-order mark; save it without one";
  if (text.startsWith("-----")) return "keys are given as JWK, not as PEM";
  if (/^(?:ssh|ecdsa)-/.test(text)) return "keys are given as JWK, not in the form of OpenSSH";
  if (/^https?:\/\//.test(text)) return "this is an address; save what is there as the file";
  if (text.startsWith('"')) return "the JSON is in quotes, so it is a text and not a key";
  return "keys are given as JSON: a JWK, an array of JWKs or a JWK set; a shared secret has a flag of its own, --jwt-secret";
}

/** Does something with a file, and names it in what goes wrong. */
export function within<R>(file: string, work: () => R): R {
  try {
    return work();
  } catch (error) {
    throw new Mistake(`${file}: ${error instanceof Mistake ? error.message : reasonOf(error)}`);
  }
}
