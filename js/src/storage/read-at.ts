/** Reads from a file at a position. */
import type { FileHandle } from "node:fs/promises";
import { EyotError } from "../base/error.js";

/** All the bytes there. One `read` of the file may return fewer. */
export async function readAt(file: FileHandle, start: number, length: number): Promise<Buffer<ArrayBuffer>> {
  const bytes = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, start + done);
    if (bytesRead === 0) throw new EyotError("corrupt", "the log is shorter than it was");
    done += bytesRead;
  }
  return bytes;
}
