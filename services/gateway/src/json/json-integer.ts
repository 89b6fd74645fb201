/** An integer as a value that `JSON.stringify` prints with all its digits. */
export function jsonInteger(value: bigint): unknown {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : rawJson(value.toString());
}

/** `JSON.rawJSON` of the runtime, which the compiler's library does not declare yet. */
const rawJson = (JSON as unknown as { readonly rawJSON: (text: string) => unknown }).rawJSON;
