import { getBit } from '@lagoon/format';
import {
  type Bm25NormParameters,
  type Bm25Norms,
  createBm25List,
  createBm25Norms,
  cutPostings,
  type Postings,
  type PostingsBlocks,
  type ScoreList,
  type TextIndex,
} from '@lagoon/text';
import { type BytesLru, createBytesLru } from './bytes-lru.ts';
import type { Range } from './score-node.ts';

/** A term of a query: a word, or all words that begin with one. */
export interface QueryTerm {
  readonly term: string;
  /** Besides `term`, all words that begin with it. */
  readonly prefix: string | undefined;
}

/** Distinct for distinct terms, whatever characters they have. */
export function termKey({ term, prefix }: QueryTerm): string {
  return prefix === undefined ? `w${term}` : `p${term.length} ${term}${prefix}`;
}

/** A text index with a name that nothing else has, ever. */
export interface NamedTextIndex {
  readonly name: string;
  readonly index: TextIndex;
}

/** What a thread keeps of texts between queries, by bytes. */
export interface TextLists {
  norms(averageLength: number, parameters: Bm25NormParameters): Bm25Norms;
  /** The rows of a term with their gains; undefined where there is none. Made anew when the norms are others. */
  list(text: NamedTextIndex, term: QueryTerm, norms: Bm25Norms): ScoreList | undefined;
  /** A number that was computed once for a key. */
  remember(key: string, compute: () => number): number;
  /** Likewise, of a column's values. */
  range(key: string, compute: () => Range): Range;
}

/** `list` undefined: no row has the term. */
type KeptList =
  | { readonly norms: Bm25Norms; readonly blocks: PostingsBlocks; readonly list: ScoreList }
  | { readonly list: undefined };

interface KnownNorms extends Bm25NormParameters {
  readonly averageLength: number;
  readonly norms: Bm25Norms;
}

const normsCountMax = 64;
const valuesBytesMax = 8 << 20;
const valueBytes = 128;
const absentBytes = 128;

export function createTextLists(bytesMax: number): TextLists {
  const lists = createBytesLru<KeptList>(bytesMax);
  const knownNorms: KnownNorms[] = []; // newest last
  const numbers = createBytesLru<number>(valuesBytesMax);
  const ranges = createBytesLru<Range>(valuesBytesMax);
  return {
    norms: (averageLength, { k1, b }) => {
      const known = knownNorms.findLast((one) => one.averageLength === averageLength && one.k1 === k1 && one.b === b);
      if (known !== undefined) return known.norms;
      const norms = createBm25Norms(averageLength, { k1, b });
      knownNorms.push({ averageLength, k1, b, norms });
      if (knownNorms.length > normsCountMax) knownNorms.shift();
      return norms;
    },
    list: ({ name, index }, term, wanted) => {
      const key = `${name} ${termKey(term)}`;
      const known = lists.get(key);
      if (known !== undefined && (known.list === undefined || known.norms === wanted)) return known.list;
      const blocks = known?.blocks ?? blocksOf(index, term);
      if (blocks === undefined) {
        lists.set(key, { list: undefined }, absentBytes + 2 * key.length);
        return undefined;
      }
      const list = createBm25List(blocks, index.lengths, wanted);
      lists.set(key, { norms: wanted, blocks, list }, list.memoryBytes);
      return list;
    },
    remember: (key, compute) => kept(numbers, key, compute),
    range: (key, compute) => kept(ranges, key, compute),
  };
}

function kept<V>(values: BytesLru<V>, key: string, compute: () => V): V {
  const known = values.get(key);
  if (known !== undefined) return known;
  const value = compute();
  values.set(key, value, valueBytes + 2 * key.length);
  return value;
}

function blocksOf(index: TextIndex, { term, prefix }: QueryTerm): PostingsBlocks | undefined {
  if (prefix === undefined) return index.blocks(term);
  const terms = new Set([term, ...index.termsWithPrefix(prefix)]);
  const united = unite(
    [...terms].flatMap((one) => index.postings(one) ?? []),
    index.rowCount,
  );
  return united.rows.length === 0 ? undefined : cutPostings(united, index.lengths);
}

/** As if all were one word. */
function unite(postings: readonly Postings[], rowCount: number): Postings {
  const [first] = postings;
  if (first !== undefined && postings.length === 1) return first;
  const sums = new Uint32Array(rowCount);
  let count = 0;
  for (const { rows, frequencies } of postings) {
    for (const [i, row] of rows.entries()) {
      if (sums[row] === 0) count++;
      sums[row] = (sums[row] as number) + (frequencies[i] as number);
    }
  }
  const rows = new Uint32Array(count);
  const frequencies = new Uint32Array(count);
  let at = 0;
  for (let row = 0; row < rowCount && at < count; row++) {
    if (sums[row] === 0) continue;
    rows[at] = row;
    frequencies[at++] = sums[row] as number;
  }
  return { rows, frequencies };
}

/** How many rows of a list are in a bitmap, all blocks loaded. */
export function countInBitmap(list: ScoreList, bitmap: Uint8Array): number {
  for (let block = 0; block < list.lastRows.length; block++) if (list.loaded[block] === 0) list.load(block);
  let count = 0;
  for (let i = 0; i < list.count; i++) if (getBit(bitmap, list.rows[i] as number)) count++;
  return count;
}
