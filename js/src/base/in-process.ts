/**
 * Relays in this process, which `eyot/testing` puts in the place of those behind sockets. Their addresses have hosts
 * that no network knows.
 */

/** What answers at the addresses of one host. */
export interface InProcessHost {
  /** Opens a link, as the class `WebSocket` does. */
  connect(url: URL, protocols: readonly string[]): unknown;
  /** Answers a request. */
  ask(url: URL): Promise<Response>;
}

const hosts = new Map<string, InProcessHost>();
const hints = new Set<(online: boolean) => void>();

export function addHost(name: string, host: InProcessHost): void {
  hosts.set(name, host);
}

export function removeHost(name: string): void {
  hosts.delete(name);
}

/** What answers at an address, where that is something in this process. */
export function hostAt(url: string): InProcessHost | undefined {
  return hosts.size === 0 ? undefined : hosts.get(new URL(url).host);
}

/** Calls `hint` whenever relays in this process can be reached again. Returns how to stop that. */
export function onReachable(hint: (online: boolean) => void): () => void {
  hints.add(hint);
  return () => hints.delete(hint);
}

/** Relays in this process can be reached again. */
export function sayReachable(): void {
  for (const hint of [...hints]) hint(true);
}
