/**
 * A value of an attribute outside its column, by type: string → string, int and uint and datetime → bigint, float →
 * number, bool → boolean, bytes → Uint8Array, uuid → 36 lower-case characters, array → array of those,
 * vector of any element → Float32Array, missing → null. For the few rows that are answered, never for scanned ones.
 */
export type AttributeValue =
  | string
  | bigint
  | number
  | boolean
  | null
  | Uint8Array
  | Float32Array
  | readonly (string | bigint | number | boolean | Uint8Array)[];
