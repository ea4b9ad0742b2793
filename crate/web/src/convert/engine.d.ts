/** Errors thrown or rejected have a `code`. Anything else thrown means that this instance is dead. */
export interface EngineOptions {
  space: string;
  relays: string[];
  /** A function is asked whenever a link opens. */
  token?: string | (() => Promise<string>);
  /** A space has an IndexedDB of its own, named `DATABASE:SPACE`. Default: `eyot:SPACE`. */
  storage: { kind: "memory" } | { kind: "indexedDb"; database?: string } | { kind: "store"; store: AsyncStore };
  /** Called outside of any call of the engine's, and may call it again. Must not throw. Bring the values of all documents up to date before any listener runs. */
  onEvents: (events: EngineEvent[]) => void;
  /** Opens a WebSocket. Default: the global class. */
  connect?: (url: string, protocol: string) => WebSocket;
  /** Asks the relay at this address how it is: whether it is healthy. */
  probe: (relay: string) => Promise<boolean>;
}

export type EngineEvent =
  /** Changes by others to an open document. */
  | { type: "patches"; doc: Uint8Array; patches: Uint8Array }
  /** An open document was rebuilt: its whole value. */
  | { type: "reset"; doc: Uint8Array; value: Uint8Array }
  /** A document that was not known before is now held. */
  | { type: "held"; doc: Uint8Array }
  | { type: "deleted"; doc: Uint8Array }
  /** Own commits up to here are on this device's disk. */
  | { type: "saved"; seq: number }
  /** Own commits up to here could not be saved; everything goes on in memory. */
  | { type: "saveFailed"; seq: number; message: string }
  /** `status()` may have changed. */
  | { type: "status" }
  /** A relay could not be reached, or did not speak. */
  | { type: "unreachable" }
  /** Give a fresh token with `setToken`. */
  | { type: "tokenExpiring" }
  /** This instance has panicked. Pending promises have been rejected. */
  | { type: "dead"; message: string };

export interface EngineStatus {
  state: "local" | "connecting" | "syncing" | "live" | "offline" | "denied" | "closed";
  relay?: { url: string; region: string; rttMs: number };
  synced: boolean;
  unsaved: number;
  unsent: number;
  behind: Record<string, number>;
  peers: number;
  quarantined: number;
  error?: { code: string; message: string };
}

/** What a call has made; `seq` 0 and an empty `id` where nothing was to be done. */
export interface Made {
  doc: Uint8Array;
  id: Uint8Array;
  seq: number;
  patches?: Uint8Array;
}
export interface Named {
  doc: Uint8Array;
  value: Uint8Array;
}

/** Ordered keys; keys and values are bytes; a value has at most 1 MiB. */
export interface AsyncStore {
  get(keys: Uint8Array[]): Promise<(Uint8Array | undefined)[]>;
  /** from <= key < to, in order, stopping once `bytesMax` bytes of values are passed; at least one entry if there is any. */
  scan(from: Uint8Array, to: Uint8Array, bytesMax: number): Promise<StoreScan>;
  /** Atomic, and durable once it resolves. False: the guard did not hold, and nothing was written. */
  write(batch: StoreWrite): Promise<boolean>;
  close(): Promise<void>;
}
