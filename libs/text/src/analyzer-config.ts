import { invalidArgument } from '@lagoon/base';

/** How a text becomes terms: the part of an attribute's `full_text_search` settings that decides it. */
export interface AnalyzerConfig {
  readonly tokenizer: string;
  readonly language: string;
  readonly stemming: boolean;
  readonly removeStopwords: boolean;
  readonly caseSensitive: boolean;
  readonly asciiFolding: boolean;
  /** Longer tokens are dropped; in bytes of UTF-8, as they stand in the text. */
  readonly maxTokenLength: number;
}

const wordTokenizers: readonly string[] = ['word_v0', 'word_v1', 'word_v2', 'word_v3', 'word_v4'];
const preTokenized = 'pre_tokenized_array';

/** Whether every text is one token as it is. `invalid_argument` for an unknown tokenizer. */
export function isPreTokenized(config: AnalyzerConfig): boolean {
  if (config.tokenizer === preTokenized) return true;
  if (wordTokenizers.includes(config.tokenizer)) return false;
  throw invalidArgument('unknown tokenizer', { tokenizer: config.tokenizer });
}
