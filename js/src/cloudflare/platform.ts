/** Types for the parts of Cloudflare's platform that are used here. Its own types conflict with those of browsers. */

/**
 * A `WebSocket`. Those passed to `acceptWebSocket` outlive the object's memory, and their messages and closes arrive as
 * method calls of the object. All others end with it and have events.
 */
export interface Socket {
  binaryType: string;
  accept(): void;
  send(message: Uint8Array): void;
  close(code: number, reason: string): void;
  serializeAttachment(attachment: unknown): void;
  deserializeAttachment(): unknown;
  addEventListener(type: "message", listener: (event: { data: ArrayBuffer | string }) => void): void;
  addEventListener(type: "close" | "error", listener: () => void): void;
}

declare global {
  var WebSocketPair: new () => { 0: Socket; 1: Socket };
  var WebSocketRequestResponsePair: new (request: string, response: string) => object;
}

/** A `DurableObjectState`. */
export interface Context {
  readonly storage: Storage;
  /** The script's own entry points, if its compatibility date is 2025-11-17 or later. */
  readonly exports?: { readonly default?: { fetch(request: Request): Promise<Response> } };
  acceptWebSocket(socket: Socket): void;
  getWebSockets(): Socket[];
  setWebSocketAutoResponse(pair: object): void;
  blockConcurrencyWhile(task: () => Promise<void>): Promise<void>;
  waitUntil(promise: Promise<unknown>): void;
}

export interface Storage extends SqlStorage {
  getAlarm(): Promise<number | null>;
  setAlarm(at: number): Promise<void>;
  deleteAlarm(): Promise<void>;
}

export interface SqlStorage {
  readonly sql: { exec(query: string, ...bindings: unknown[]): Iterable<Record<string, unknown>> };
  transactionSync<T>(run: () => T): T;
}

/** A `DurableObjectNamespace`. */
export interface Namespace {
  /** The same, for objects that run and store within a jurisdiction. Their ids are other ones. */
  jurisdiction(name: string): Namespace;
  idFromName(name: string): unknown;
  get(id: unknown, options: { locationHint?: string }): { fetch(request: Request): Promise<Response> };
}
