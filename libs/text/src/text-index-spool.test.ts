import { expect, test } from '@jest/globals';
import { concatBytes, utf8Encode } from '@lagoon/base';
import fc from 'fast-check';
import { createAnalyzer } from './analyzer.ts';
import { encodeTextIndex } from './stored-text.v1.ts';
import { createTextIndexBuilder } from './text-index-builder.ts';
import { createTextIndexSpool, type SpoolFile } from './text-index-spool.ts';

const analyzer = createAnalyzer({
  tokenizer: 'word_v3',
  language: 'english',
  stemming: false,
  removeStopwords: false,
  caseSensitive: false,
  asciiFolding: false,
  maxTokenLength: 39,
});

function memoryFiles() {
  const open = new Set<SpoolFile>();
  const create = (): SpoolFile => {
    let bytes: Uint8Array = new Uint8Array(0);
    const file: SpoolFile = {
      get size() {
        return bytes.length;
      },
      append: (more) => {
        bytes = concatBytes([bytes, more]);
      },
      read: (start, end) => bytes.slice(start, end),
      remove: () => void open.delete(file),
    };
    open.add(file);
    return file;
  };
  return { create, open };
}

test('the bytes are those of the index built in memory, however many runs there are', () => {
  const word = fc.constantFrom('a', 'red', 'green', 'Blue', 'see', 'naïve', 'redder', 'x1', 'zebra');
  const rows = fc.array(fc.array(word, { maxLength: 12 }), { maxLength: 60 });
  fc.assert(
    fc.property(rows, fc.constantFrom(1, 40, 1 << 20), (texts, runTextBytesMax) => {
      const files = memoryFiles();
      const builder = createTextIndexBuilder(analyzer);
      const spool = createTextIndexSpool(analyzer, files.create, { runTextBytesMax });
      for (const words of texts) {
        const bytes = utf8Encode(words.join(' '));
        for (const target of [builder, spool]) {
          target.addText(bytes, 0, bytes.length);
          target.endRow();
        }
      }
      const written: Uint8Array[] = [];
      spool.finish((bytes) => written.push(bytes.slice()));
      expect(concatBytes(written)).toEqual(encodeTextIndex(builder.finish()));
      expect(files.open.size).toBe(0);
    }),
    { numRuns: 80 },
  );
});
