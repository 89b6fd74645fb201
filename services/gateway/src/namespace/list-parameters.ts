import { invalidArgument, type LagoonError } from '@lagoon/base';

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
  const listed = {
    prefix: parameters.get('prefix') ?? '',
    cursor: parameters.get('cursor') ?? '',
    pageSize: parsePageSize(parameters.get('page_size')),
  };
  checkListParameters(listed);
  return listed;
}

export function checkListParameters({ prefix, cursor, pageSize }: ListParameters): void {
  for (const [parameter, text] of Object.entries({ prefix, cursor })) {
    if (Buffer.byteLength(text) > textBytesMax) throw invalidArgument('the parameter is too long', { parameter });
  }
  if (pageSize > pageSizeMax) throw wrongPageSize(String(pageSize));
}

function parsePageSize(text: string | null): number {
  if (text === null || text === '') return 0;
  const size = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (size < 1) throw wrongPageSize(text);
  return size;
}

function wrongPageSize(found: string): LagoonError {
  return invalidArgument(`page_size is an integer from 1 to ${pageSizeMax}`, { found: found.slice(0, 32) });
}
