/** What a store of the application's own must do to hold a replica's log. */

/**
 * An ordered map from bytes to bytes. Keys are ordered byte by byte. A value has at most 1 MiB. `eyot/conformance`
 * tests whether a store does all of this.
 */
export interface AsyncStore {
  get(keys: Uint8Array[]): Promise<(Uint8Array | undefined)[]>;
  /**
   * The entries with `from <= key < to`, in order. Stops once the values exceed `bytesMax` bytes; returns at least one
   * entry if there is any.
   */
  scan(from: Uint8Array, to: Uint8Array, bytesMax: number): Promise<StoreScan>;
  /** Writes a batch atomically. It is durable once this resolves. False: the guard did not hold, nothing was written. */
  write(batch: StoreWrite): Promise<boolean>;
  close(): Promise<void>;
  /** The space is being closed: `close` follows once what is not saved yet is. */
  closing?(): void;
}

export interface StoreScan {
  keys: Uint8Array[];
  values: Uint8Array[];
  /** Whether there are more entries after these. */
  more: boolean;
}

/** One atomic batch. Its deletes are done before its puts. */
export interface StoreWrite {
  /** The batch is written only if the value at this key is `guardValue`; undefined: only if there is no value. */
  guardKey?: Uint8Array | undefined;
  guardValue?: Uint8Array | undefined;
  puts: [key: Uint8Array, value: Uint8Array][];
  deletes: Uint8Array[];
}
