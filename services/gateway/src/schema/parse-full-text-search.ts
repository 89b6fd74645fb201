import type { MessageInitShape } from '@bufbuild/protobuf';
import { fullTextSearchDefaults as defaults, languages, tokenizers } from '@lagoon/format';
import type { FullTextSearchSchema } from '@lagoon/proto/lagoon/v1/value_pb.js';
import {
  asBoolean,
  asFiniteNumber,
  asInteger,
  asOneOf,
  at,
  isObject,
  refuseUnknownFields,
  wrongShape,
  wrongValue,
} from '../json/shape.ts';

const fields = new Set([
  'tokenizer',
  'language',
  'stemming',
  'remove_stopwords',
  'case_sensitive',
  'ascii_folding',
  'max_token_length',
  'k1',
  'b',
  'k3',
]);

/** Reads `true` or an object of settings; every setting that is left out gets the dialect's default. */
export function parseFullTextSearch(
  value: unknown,
  path: string,
): MessageInitShape<typeof FullTextSearchSchema> | undefined {
  if (value === undefined || value === null || value === false) return undefined;
  const settings = value === true ? {} : value;
  if (!isObject(settings)) throw wrongShape(path, 'a boolean or an object', value);
  refuseUnknownFields(settings, path, fields);
  const flag = (name: string): boolean => {
    const found = settings[name];
    return found === undefined || found === null ? false : asBoolean(found, at(path, name));
  };
  const number = (name: string, byDefault: number): number => {
    const found = settings[name];
    if (found === undefined || found === null) return byDefault;
    const given = asFiniteNumber(found, at(path, name));
    if (given < 0) throw wrongValue(at(path, name), 'must not be negative', { found: given });
    return given;
  };
  const b = number('b', defaults.b);
  if (b > 1) throw wrongValue(at(path, 'b'), 'must be from 0 to 1', { found: b });
  return {
    tokenizer: asOneOf(settings.tokenizer ?? defaults.tokenizer, at(path, 'tokenizer'), tokenizers),
    language: asOneOf(settings.language ?? defaults.language, at(path, 'language'), languages),
    stemming: flag('stemming'),
    removeStopwords: flag('remove_stopwords'),
    caseSensitive: flag('case_sensitive'),
    asciiFolding: flag('ascii_folding'),
    maxTokenLength: asInteger(
      settings.max_token_length ?? defaults.maxTokenLength,
      at(path, 'max_token_length'),
      1,
      254,
    ),
    k1: number('k1', defaults.k1),
    b,
    k3: number('k3', defaults.k3),
  };
}
