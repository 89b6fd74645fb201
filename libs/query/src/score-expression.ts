import type { AttributeValue } from '@lagoon/format';
import type { Filter } from './filter.ts';

/** What ranks rows by score, highest first; a row that scores 0 or less is left out. */
export type ScoreExpression =
  /** A list of tokens is taken as it is, but for the analyzer. */
  | {
      readonly kind: 'bm25';
      readonly attribute: string;
      readonly query: string | readonly string[];
      /** The last word stands for all words that begin with it. */
      readonly lastAsPrefix: boolean;
    }
  | { readonly kind: 'sum' | 'max'; readonly parts: readonly ScoreExpression[] }
  | {
      readonly kind: 'product';
      readonly factor: number;
      readonly part: ScoreExpression;
      readonly isPartFirst?: boolean;
    }
  /** 1 where the filter matches, else 0. */
  | { readonly kind: 'filter'; readonly filter: Filter }
  /** Of a number, bool or datetime (ms). */
  | { readonly kind: 'attribute'; readonly attribute: string }
  /** x^e / (x^e + m^e) of x ≥ 0. */
  | { readonly kind: 'saturate'; readonly part: ScoreExpression; readonly midpoint: number; readonly exponent: number }
  /** m^e / (x^e + m^e) of x ≥ 0. */
  | { readonly kind: 'decay'; readonly part: ScoreExpression; readonly midpoint: number; readonly exponent: number }
  /** |x − origin|; the origin of a datetime may be one. */
  | { readonly kind: 'dist'; readonly part: ScoreExpression; readonly origin: AttributeValue };
