import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { invalidArgument, utf8Decode } from '@lagoon/base';
import type { BatchOptions, DocumentSource, ImportBatch } from './document-source.ts';

/** Longest line of a JSONL file in bytes: the largest document, with room for JSON's escapes. */
const lineBytesMax = 128 << 20;

/**
 * One document per line, in the dialect's row form: `{"id": …, "vector": […], "attribute": …}`. Lines are passed on as they
 * are, so nothing is lost on the way; the server says what is wrong with them.
 */
export async function openJsonlSource(path: string, schema: unknown): Promise<DocumentSource> {
  const file = await stat(path).catch((cause: unknown) => {
    throw invalidArgument('the file cannot be read', { path, cause: String(cause) });
  });
  const head = `{${schema === undefined ? '' : `"schema":${JSON.stringify(schema)},`}"upsert_rows":[`;
  return {
    fingerprint: `jsonl:${path}:${file.size}:${file.mtimeMs}`,
    positionEnd: file.size,
    positionUnit: 'bytes',
    batches: (options) => readBatches(path, head, options),
  };
}

async function* readBatches(path: string, head: string, options: BatchOptions): AsyncGenerator<ImportBatch> {
  let lines: string[] = [];
  let size = 0;
  let position = options.from;
  const batch = (): ImportBatch => ({ body: `${head}${lines.join(',')}]}`, rowCount: lines.length, position });
  for await (const line of readLines(path, options.from)) {
    position = line.end;
    if (line.text.trim() === '') continue;
    lines.push(line.text);
    size += line.text.length;
    if (lines.length < options.rowsPerBatch && size < options.bytesPerBatchMax) continue;
    yield batch();
    lines = [];
    size = 0;
  }
  if (lines.length > 0) yield batch();
}

async function* readLines(path: string, start: number): AsyncGenerator<{ text: string; end: number }> {
  let rest: Buffer = Buffer.alloc(0);
  let position = start;
  for await (const chunk of createReadStream(path, { start, highWaterMark: 1 << 20 })) {
    let bytes: Buffer = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10)) {
      position += end + 1;
      yield { text: decodeLine(bytes.subarray(0, end), path, position), end: position };
      bytes = bytes.subarray(end + 1);
    }
    if (bytes.length > lineBytesMax) {
      throw invalidArgument('a line is longer than a document may be', {
        path,
        offset: position,
        bytesMax: lineBytesMax,
      });
    }
    rest = bytes;
  }
  if (rest.length > 0) yield { text: decodeLine(rest, path, position), end: position + rest.length };
}

function decodeLine(bytes: Uint8Array, path: string, end: number): string {
  try {
    return utf8Decode(bytes);
  } catch {
    throw invalidArgument('a line is not utf-8', { path, offset: end - bytes.length });
  }
}
