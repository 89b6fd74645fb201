import { unimplemented } from '@lagoon/base';
import { stemmer as stemGreek } from '@orama/stemmers/greek';
import snowball from 'snowball-stemmers';

/** The Snowball stemmer of the language, for lower-case words; that of Greek begins with `plainGreek`. `unimplemented` where there is none. */
export function createStemmer(language: string): (word: string) => string {
  if (language === 'greek') return stemGreek;
  if (language === 'porter' || !snowball.algorithms().includes(language))
    throw unimplemented(`stemming of ${language}`);
  const stemmer = snowball.newStemmer(language);
  return (word) => stemmer.stem(word);
}
