import { LagoonError } from '@lagoon/base';
import { limits } from '@lagoon/format';
import { asArray, asObject, at, clip, isObject, type JsonObject, wrongShape, wrongValue } from '../json/shape.ts';
import type { IdCollector } from './ids.ts';
import { checkAttributeName } from './names.ts';

/** Documents of a request as raw JSON values by attribute: `raw[row]` is undefined or null where the row misses it. */
export interface RawColumns {
  readonly rowCount: number;
  readonly attributes: ReadonlyMap<string, readonly unknown[]>;
  /** Where a value stands in the request, for messages. */
  readonly pathOf: (attribute: string, row: number) => string;
}

/** Bytes that raw values and their packed form take per cell, at least; bounds what a few wide rows can blow up. */
const cellBytes = 8;

/** Reads `upsert_rows` and `upsert_columns`; a request may have both, rows come first. */
export function collectDocuments(body: JsonObject, ids: IdCollector, blockBytesMax: number): RawColumns {
  const rows = body.upsert_rows === undefined || body.upsert_rows === null ? [] : readRows(body.upsert_rows);
  const columns = body.upsert_columns ?? undefined;
  if (rows.length === 0 && columns !== undefined) return collectColumns(columns, ids);
  const fromRows = collectRows(rows, ids, blockBytesMax);
  if (columns === undefined) return fromRows;
  return join(fromRows, collectColumns(columns, ids), blockBytesMax);
}

function readRows(value: unknown): readonly unknown[] {
  return asArray(value, 'upsert_rows', 'an array of rows');
}

function collectRows(rows: readonly unknown[], ids: IdCollector, blockBytesMax: number): RawColumns {
  const attributes = new Map<string, unknown[]>();
  const pathOf = (attribute: string, row: number) => at(`upsert_rows[${row}]`, clip(attribute));
  for (let row = 0; row < rows.length; row++) {
    const document = rows[row];
    if (!isObject(document)) throw wrongShape(`upsert_rows[${row}]`, 'an object', document);
    ids.add(document.id, 'upserts', () => `upsert_rows[${row}].id`);
    for (const name in document) {
      if (name === 'id') continue;
      let values = attributes.get(name);
      if (values === undefined) {
        checkAttributeName(name, pathOf(name, row));
        checkAttributeCount(attributes.size + 1, `upsert_rows[${row}]`);
        checkCells(rows.length, attributes.size + 1, blockBytesMax);
        values = new Array<unknown>(rows.length).fill(undefined);
        attributes.set(name, values);
      }
      values[row] = document[name];
    }
  }
  return { rowCount: rows.length, attributes, pathOf };
}

function collectColumns(value: unknown, ids: IdCollector): RawColumns {
  const columns = asObject(value, 'upsert_columns');
  const idValues = asArray(columns.id, 'upsert_columns.id', 'an array of ids');
  for (let row = 0; row < idValues.length; row++) {
    ids.add(idValues[row], 'upserts', () => `upsert_columns.id[${row}]`);
  }
  const attributes = new Map<string, readonly unknown[]>();
  for (const name of Object.keys(columns)) {
    if (name === 'id') continue;
    const path = at('upsert_columns', clip(name));
    checkAttributeName(name, path);
    const values = asArray(columns[name], path, 'an array with a value per id');
    if (values.length !== idValues.length) {
      throw wrongValue(path, 'the column is not as long as the ids', { ids: idValues.length, values: values.length });
    }
    attributes.set(name, values);
    checkAttributeCount(attributes.size, 'upsert_columns');
  }
  const pathOf = (attribute: string, row: number) => `${at('upsert_columns', clip(attribute))}[${row}]`;
  return { rowCount: idValues.length, attributes, pathOf };
}

function join(first: RawColumns, second: RawColumns, blockBytesMax: number): RawColumns {
  const rowCount = first.rowCount + second.rowCount;
  const attributes = new Map<string, readonly unknown[]>();
  for (const name of new Set([...first.attributes.keys(), ...second.attributes.keys()])) {
    checkAttributeCount(attributes.size + 1, 'upsert_columns');
    checkCells(rowCount, attributes.size + 1, blockBytesMax);
    const missing = (count: number) => new Array<unknown>(count).fill(undefined);
    const head = first.attributes.get(name) ?? missing(first.rowCount);
    attributes.set(name, head.concat(second.attributes.get(name) ?? missing(second.rowCount)));
  }
  const pathOf = (attribute: string, row: number) =>
    row < first.rowCount ? first.pathOf(attribute, row) : second.pathOf(attribute, row - first.rowCount);
  return { rowCount, attributes, pathOf };
}

function checkAttributeCount(count: number, path: string): void {
  if (count <= limits.attributeCountMax) return;
  throw wrongValue(path, 'the request has too many attributes', { max: limits.attributeCountMax });
}

function checkCells(rowCount: number, columnCount: number, blockBytesMax: number): void {
  checkBlockBytes(rowCount * columnCount * cellBytes, blockBytesMax);
}

export function checkBlockBytes(bytes: number, bytesMax: number): void {
  if (bytes <= bytesMax) return;
  throw new LagoonError('invalid_argument', 'the rows are too large as columns: send them in parts', {
    reason: 'too_large',
    context: { bytes, bytesMax },
  });
}
