import { invalidArgument } from '@lagoon/base';

export interface ListParameters {
  readonly prefix: string;
  readonly cursor: string;
  /** 0: the default. */
  readonly pageSize: number;
}

const pageSizeMax = 1_000;
const textBytesMax = 1_024;

/** Reads `cursor`, `page_size` and `prefix` of a query string; other parameters are ignored. */
export function parseListParameters(query: string): ListParameters {
  const parameters = new URLSearchParams(query);
  const text = (name: string): string => {
    const value = parameters.get(name) ?? '';
    if (Buffer.byteLength(value) > textBytesMax)
      throw invalidArgument('the parameter is too long', { parameter: name });
    return value;
  };
  return { prefix: text('prefix'), cursor: text('cursor'), pageSize: parsePageSize(parameters.get('page_size')) };
}

function parsePageSize(text: string | null): number {
  if (text === null || text === '') return 0;
  const size = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (size < 1 || size > pageSizeMax) {
    throw invalidArgument(`page_size is an integer from 1 to ${pageSizeMax}`, { found: text.slice(0, 32) });
  }
  return size;
}
