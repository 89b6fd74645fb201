import { unimplemented } from '@lagoon/base';
import snowball from 'snowball-stemmers';

/** The Snowball stemmer of the language, for lower-case words. `unimplemented` where there is none (Greek). */
export function createStemmer(language: string): (word: string) => string {
  if (language === 'porter' || !snowball.algorithms().includes(language))
    throw unimplemented(`stemming of ${language}`);
  const stemmer = snowball.newStemmer(language);
  return (word) => stemmer.stem(word);
}
