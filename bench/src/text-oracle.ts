/** BM25 by counting: what the index must find. Words are separated by single spaces. */
export interface TextOracle {
  /** Rows of the best texts, best first, equal ones by row. */
  search(words: readonly string[], limit: number): number[];
}

const [k1, b] = [1.2, 0.75];

export function createTextOracle(texts: readonly string[]): TextOracle {
  const numbers = new Map<string, number>();
  const numberOf = (word: string): number => {
    const known = numbers.get(word) ?? numbers.size;
    numbers.set(word, known);
    return known;
  };
  const ends = new Uint32Array(texts.length);
  const all: number[] = [];
  for (const [row, text] of texts.entries()) {
    for (const word of text.split(' ')) all.push(numberOf(word));
    ends[row] = all.length;
  }
  const words = Uint32Array.from(all);
  const average = words.length / texts.length;
  return {
    search: (query, limit) => {
      const asked = query.map((word) => numbers.get(word) ?? -1);
      const found = rowsOf(words, ends, asked);
      const weights = asked.map((_, i) => {
        const frequency = found.filter(({ counts }) => (counts[i] as number) > 0).length;
        return Math.log(1 + (texts.length - frequency + 0.5) / (frequency + 0.5)) * (k1 + 1);
      });
      return found
        .map(({ row, counts, length }) => {
          const norm = k1 * (1 - b + (b * length) / average);
          const score = counts.reduce(
            (sum, count, i) => sum + (count === 0 ? 0 : (weights[i] as number) / (1 + norm / count)),
            0,
          );
          return { row, score };
        })
        .sort((x, y) => y.score - x.score || x.row - y.row)
        .slice(0, limit)
        .map(({ row }) => row);
    },
  };
}

interface Row {
  readonly row: number;
  readonly length: number;
  /** By word of the query. */
  readonly counts: readonly number[];
}

/** Those that have any of the words. */
function rowsOf(words: Uint32Array, ends: Uint32Array, asked: readonly number[]): readonly Row[] {
  const rows: Row[] = [];
  let start = 0;
  for (const [row, end] of ends.entries()) {
    let counts: number[] | undefined;
    for (let at = start; at < end; at++) {
      const slot = asked.indexOf(words[at] as number);
      if (slot < 0) continue;
      counts ??= asked.map(() => 0);
      counts[slot] = (counts[slot] as number) + 1;
    }
    if (counts !== undefined) rows.push({ row, length: end - start, counts });
    start = end;
  }
  return rows;
}
