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
