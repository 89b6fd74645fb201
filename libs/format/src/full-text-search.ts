import { invalidArgument } from '@lagoon/base';
import { formatAttributeType } from './attribute-type.ts';
import { type AttributeType, type FullTextSearch, languages, tokenizers } from './schema.ts';

const maxTokenLengthMax = 254;

/** Throws `invalid_argument` unless the attribute can have this text index. */
export function checkFullTextSearch(attribute: string, type: AttributeType, settings: FullTextSearch): void {
  const { tokenizer, language, maxTokenLength, k1, b, k3 } = settings;
  if (type.kind === 'vector' || type.scalar !== 'string') {
    throw invalidArgument('only string attributes have full-text search', {
      attribute,
      type: formatAttributeType(type),
    });
  }
  if (!(tokenizers as readonly string[]).includes(tokenizer)) {
    throw invalidArgument('unknown tokenizer', { attribute, tokenizer });
  }
  if (!(languages as readonly string[]).includes(language)) {
    throw invalidArgument('unknown language', { attribute, language });
  }
  if (tokenizer === 'pre_tokenized_array' && type.kind !== 'array') {
    throw invalidArgument('pre_tokenized_array needs a []string attribute', { attribute });
  }
  if (!Number.isInteger(maxTokenLength) || maxTokenLength < 1 || maxTokenLength > maxTokenLengthMax) {
    throw invalidArgument('max_token_length is out of range', { attribute, maxTokenLength, max: maxTokenLengthMax });
  }
  if (!(k1 >= 0 && k1 < Infinity)) throw invalidArgument('k1 is out of range', { attribute, k1 });
  if (!(b >= 0 && b <= 1)) throw invalidArgument('b is out of range', { attribute, b });
  if (!(k3 >= 0 && k3 < Infinity)) throw invalidArgument('k3 is out of range', { attribute, k3 });
}

export function equalFullTextSearch(a: FullTextSearch | undefined, b: FullTextSearch | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  return (
    a.tokenizer === b.tokenizer &&
    a.language === b.language &&
    a.stemming === b.stemming &&
    a.removeStopwords === b.removeStopwords &&
    a.caseSensitive === b.caseSensitive &&
    a.asciiFolding === b.asciiFolding &&
    a.maxTokenLength === b.maxTokenLength &&
    a.k1 === b.k1 &&
    a.b === b.b &&
    a.k3 === b.k3
  );
}
