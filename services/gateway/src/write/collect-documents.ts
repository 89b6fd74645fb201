import { LagoonError } from '@lagoon/base';
import { limits } from '@lagoon/format';
import { asArray, asObject, at, clip, isObject, type JsonObject, wrongShape, wrongValue } from '../json/shape.ts';
import { isGiven } from '../schema/parse-schema.ts';
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

/** Whose documents are read: those of `upsert_rows` and `upsert_columns`, or of `patch_rows` and `patch_columns`. */
export type DocumentSource = 'upsert' | 'patch';

/** A request may have rows and columns, rows come first. */
export function collectDocuments(
  body: JsonObject,
  source: DocumentSource,
  ids: IdCollector,
  blockBytesMax: number,
): RawColumns {
  const rowsField = `${source}_rows`;
  const columnsField = `${source}_columns`;
  const rows = isGiven(body[rowsField]) ? asArray(body[rowsField], rowsField, 'an array of rows') : [];
  const columns = body[columnsField] ?? undefined;
  if (rows.length === 0 && columns !== undefined) return collectColumns(columns, columnsField, source, ids);
  const fromRows = collectRows(rows, rowsField, source, ids, blockBytesMax);
  if (columns === undefined) return fromRows;
  return join(fromRows, collectColumns(columns, columnsField, source, ids), columnsField, blockBytesMax);
}

function collectRows(
  rows: readonly unknown[],
  field: string,
  source: DocumentSource,
  ids: IdCollector,
  blockBytesMax: number,
): RawColumns {
  const attributes = new Map<string, unknown[]>();
  const pathOf = (attribute: string, row: number) => at(`${field}[${row}]`, clip(attribute));
  for (let row = 0; row < rows.length; row++) {
    const document = rows[row];
    if (!isObject(document)) throw wrongShape(`${field}[${row}]`, 'an object', document);
    ids.add(document.id, targetOf[source], () => `${field}[${row}].id`);
    for (const name in document) {
      if (name === 'id') continue;
      let values = attributes.get(name);
      if (values === undefined) {
        checkAttributeName(name, pathOf(name, row));
        checkAttributeCount(attributes.size + 1, `${field}[${row}]`);
        checkCells(rows.length, attributes.size + 1, blockBytesMax);
        values = new Array<unknown>(rows.length).fill(undefined);
        attributes.set(name, values);
      }
      values[row] = document[name];
    }
  }
  return { rowCount: rows.length, attributes, pathOf };
}

const targetOf = { upsert: 'upserts', patch: 'patches' } as const;

function collectColumns(value: unknown, field: string, source: DocumentSource, ids: IdCollector): RawColumns {
  const columns = asObject(value, field);
  const idValues = asArray(columns.id, `${field}.id`, 'an array of ids');
  for (let row = 0; row < idValues.length; row++) {
    ids.add(idValues[row], targetOf[source], () => `${field}.id[${row}]`);
  }
  const attributes = new Map<string, readonly unknown[]>();
  for (const name of Object.keys(columns)) {
    if (name === 'id') continue;
    const path = at(field, clip(name));
    checkAttributeName(name, path);
    const values = asArray(columns[name], path, 'an array with a value per id');
    if (values.length !== idValues.length) {
      throw wrongValue(path, 'the column is not as long as the ids', { ids: idValues.length, values: values.length });
    }
    attributes.set(name, values);
    checkAttributeCount(attributes.size, field);
  }
  const pathOf = (attribute: string, row: number) => `${at(field, clip(attribute))}[${row}]`;
  return { rowCount: idValues.length, attributes, pathOf };
}

function join(first: RawColumns, second: RawColumns, field: string, blockBytesMax: number): RawColumns {
  const rowCount = first.rowCount + second.rowCount;
  const attributes = new Map<string, readonly unknown[]>();
  for (const name of new Set([...first.attributes.keys(), ...second.attributes.keys()])) {
    checkAttributeCount(attributes.size + 1, field);
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
