/** What is asked over HTTP. Nothing of it outlives its limit of time, or whoever asks. */

/** Gets and reads. An answer that comes later than `timeout` milliseconds, whole, is none. */
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
  const timer = setTimeout(end, timeout);
  // Older workerd knows no caches, and refuses to be told of them.
  const fresh: RequestInit = "cache" in Request.prototype ? { cache: "no-store" } : {};
  try {
    return await read(await fetch(url, { ...fresh, signal: request.signal }));
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    // What was not read of the answer need not come.
    end();
  }
}
