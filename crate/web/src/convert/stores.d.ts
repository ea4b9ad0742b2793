/** Ordered keys; keys and values are bytes; a value has at most 1 MiB. */
export interface AsyncStore {
  get(keys: Uint8Array[]): Promise<(Uint8Array | undefined)[]>;
  /** from <= key < to, in order, stopping once `bytesMax` bytes of values are passed; at least one entry if there is any. */
  scan(from: Uint8Array, to: Uint8Array, bytesMax: number): Promise<StoreScan>;
  /** Atomic, and durable once it resolves. False: the guard did not hold, and nothing was written. */
  write(batch: StoreWrite): Promise<boolean>;
  close(): Promise<void>;
  /** `close` follows. */
  closing?(): void;
}
/** The methods of `AsyncStore`, returning at once. */
export interface SyncStore {
  get(keys: Uint8Array[]): (Uint8Array | undefined)[];
  scan(from: Uint8Array, to: Uint8Array, bytesMax: number): StoreScan;
  write(batch: StoreWrite): boolean;
}
export interface StoreScan {
  keys: Uint8Array[];
  values: Uint8Array[];
  more: boolean;
}
/** Deletes come before puts. Where there is a `guardKey` its value must be `guardValue`, undefined meaning absent. */
export interface StoreWrite {
  guardKey?: Uint8Array;
  guardValue?: Uint8Array;
  puts: [Uint8Array, Uint8Array][];
  deletes: Uint8Array[];
}
