/** The parts of the platform that are used here. Its own types collide with those of browsers. */

/** Of a `WebSocket`. Those that `acceptWebSocket` was given outlive the object's memory; the others speak by events. */
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

/** Of a `DurableObjectState`. */
export interface Context {
  readonly storage: Storage;
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

/** Of a `DurableObjectNamespace`. */
export interface Namespace {
  idFromName(name: string): unknown;
  get(id: unknown, options: { locationHint?: string }): { fetch(request: Request): Promise<Response> };
}

/** Where `routeRelay` and a relay's object find the relays' objects. */
export function relays(env: unknown): Namespace {
  const namespace = (env as Record<string, Namespace | undefined>)[BINDING];
  if (namespace === undefined) throw new TypeError(`eyot: the binding ${BINDING} of a Durable Object is missing`);
  return namespace;
}

const BINDING = "SPACE_RELAY";
