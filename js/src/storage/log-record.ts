/**
 * The file format of a log: how its records are written and read. A log starts with `START`; a record is
 *
 *     "eyrc"  length u32  checksum 8 bytes  payload
 *
 * All integers are little-endian. The checksum is the first bytes of the payload's SHA-256. A payload is a sequence of
 * entries: key length u32, value length u32 (all ones: the key is deleted), key, value.
 */
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { keyOf, type PlaceChanges } from "./key-index.js";
import { readAt } from "./read-at.js";
import { EyotError } from "../base/error.js";

export const START = new TextEncoder().encode("eyot log 1\n");
/** Batches that are written together share a record up to this size. */
export const RECORD_BYTES_MAX = 8 * 1024 * 1024;

const MARK = Buffer.from("eyrc");
const CHECKSUM_BYTES = 8;
const HEADER_BYTES = MARK.length + 4 + CHECKSUM_BYTES;
const DELETED = 0xffff_ffff;
const WINDOW_BYTES = 1024 * 1024;

/** A key's new value; without a value, the key is deleted. */
export interface Change {
  key: Uint8Array;
  value?: Uint8Array;
}

/** The bytes of a record, and the places of its values when the record begins at `start`. */
export function encodeRecord(changes: readonly Change[], start: number): { bytes: Uint8Array; places: PlaceChanges } {
  let length = 0;
  for (const { key, value } of changes) length += 8 + key.length + (value?.length ?? 0);
  const bytes = Buffer.alloc(HEADER_BYTES + length);
  const places: PlaceChanges = [];
  let at = HEADER_BYTES;
  for (const { key, value } of changes) {
    bytes.writeUInt32LE(key.length, at);
    bytes.writeUInt32LE(value?.length ?? DELETED, at + 4);
    bytes.set(key, at + 8);
    at += 8 + key.length;
    places.push([keyOf(key), value && { start: start + at, length: value.length }]);
    if (value !== undefined) {
      bytes.set(value, at);
      at += value.length;
    }
  }
  MARK.copy(bytes);
  bytes.writeUInt32LE(length, MARK.length);
  checksum(bytes.subarray(HEADER_BYTES)).copy(bytes, MARK.length + 4);
  return { bytes, places };
}

/**
 * Reads a log from its beginning. `end` is where the last whole record ends. Bytes after that are from a write that was
 * under way when the process or the machine stopped; that write was never reported as saved.
 */
export async function readLog(
  file: FileHandle,
  each: (places: PlaceChanges) => void,
): Promise<{ end: number; size: number }> {
  const { size } = await file.stat();
  const reader = new Reader(file, size);
  const start = await reader.at(0, START.length);
  if (start === undefined || Buffer.compare(start, START) !== 0) {
    // A crash while the log was created leaves a part of `START` and nothing else. Such a log is empty.
    if (size <= START.length && Buffer.compare(START.subarray(0, size), (await reader.at(0, size))!) === 0) {
      return { end: 0, size };
    }
    throw corrupt("this is no log of eyot's, or its beginning is damaged");
  }
  let end = START.length;
  for (;;) {
    const payload = await readRecord(reader, end);
    if (payload === undefined) break;
    each(decodePayload(payload, end + HEADER_BYTES));
    end += HEADER_BYTES + payload.length;
  }
  // Each record is synced before the next is written. So a whole record after a broken one means damage, not a crash.
  if (end < size && (await wholeRecordAfter(reader, end + 1))) throw corrupt(`the log is damaged at byte ${end}`);
  return { end, size };
}

async function readRecord(reader: Reader, start: number): Promise<Buffer | undefined> {
  const header = await reader.at(start, HEADER_BYTES);
  if (header === undefined || !header.subarray(0, MARK.length).equals(MARK)) return undefined;
  const length = header.readUInt32LE(MARK.length);
  const expected = Buffer.from(header.subarray(MARK.length + 4));
  const payload = await reader.at(start + HEADER_BYTES, length);
  return payload !== undefined && checksum(payload).equals(expected) ? payload : undefined;
}

async function wholeRecordAfter(reader: Reader, from: number): Promise<boolean> {
  for (let start = from; start < reader.size;) {
    const bytes = await reader.at(start, Math.min(WINDOW_BYTES, reader.size - start));
    const found = bytes?.indexOf(MARK) ?? -1;
    if (found >= 0) {
      if ((await readRecord(reader, start + found)) !== undefined) return true;
      start += found + 1;
    } else {
      start += Math.max(1, (bytes?.length ?? 0) - MARK.length + 1);
    }
  }
  return false;
}

function decodePayload(payload: Buffer, start: number): PlaceChanges {
  const places: PlaceChanges = [];
  let at = 0;
  while (at < payload.length) {
    const keyLength = payload.readUInt32LE(at);
    const valueLength = payload.readUInt32LE(at + 4);
    const key = payload.toString("latin1", at + 8, at + 8 + keyLength);
    at += 8 + keyLength;
    if (valueLength === DELETED) {
      places.push([key, undefined]);
    } else {
      places.push([key, { start: start + at, length: valueLength }]);
      at += valueLength;
    }
  }
  return places;
}

/** Reads a file from front to back, a window at a time. */
class Reader {
  #window = Buffer.alloc(0);
  #start = 0;

  readonly #file: FileHandle;
  readonly size: number;

  constructor(file: FileHandle, size: number) {
    this.#file = file;
    this.size = size;
  }

  /** The bytes there, or undefined if the file ends before them. */
  async at(start: number, length: number): Promise<Buffer | undefined> {
    if (start + length > this.size) return undefined;
    if (start < this.#start || start + length > this.#start + this.#window.length) {
      this.#window = await readAt(this.#file, start, Math.min(Math.max(length, WINDOW_BYTES), this.size - start));
      this.#start = start;
    }
    return this.#window.subarray(start - this.#start, start - this.#start + length);
  }
}

function checksum(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest().subarray(0, CHECKSUM_BYTES);
}

function corrupt(message: string): EyotError {
  return new EyotError("corrupt", message);
}
