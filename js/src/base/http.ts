/** HTTP requests with a time limit. */
import { clock } from "./clock.js";
import { hostAt } from "./in-process.js";

/** Sends a GET request and reads the response. Rejects unless all of that is done within `timeout` milliseconds. */
export async function ask<R>(
  url: string,
  timeout: number,
  signal: AbortSignal,
  read: (response: Response) => R | Promise<R>,
): Promise<R> {
  const request = new AbortController();
  const end = (): void => request.abort();
  if (signal.aborted) end();
  signal.addEventListener("abort", end, { once: true });
  const timer = clock.setTimer(end, timeout);
  // Older versions of workerd throw if `cache` is given.
  const fresh: RequestInit = "cache" in Request.prototype ? { cache: "no-store" } : {};
  try {
    return await read(await send(url, { ...fresh, signal: request.signal }));
  } finally {
    clock.clearTimer(timer);
    signal.removeEventListener("abort", end);
    // Cancels whatever `read` has not read.
    end();
  }
}

function send(url: string, init: RequestInit): Promise<Response> {
  return hostAt(url)?.ask(new URL(url)) ?? fetch(url, init);
}

/** The text of a response; undefined where it has more bytes than that. */
export async function textOf({ body }: Response, bytesMax: number): Promise<string | undefined> {
  if (body === null) return "";
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let text = "";
  let bytes = 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    bytes += next.value.length;
    if (bytes > bytesMax) return undefined;
    text += decoder.decode(next.value, { stream: true });
  }
  return text + decoder.decode();
}
