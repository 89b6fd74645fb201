import { unimplemented } from '@lagoon/base';
import { stopwords as tamil } from '@orama/stopwords/tamil';
import stopword from 'stopword';
import { plainGreek } from './greek.ts';

/** The lists of npm `stopword` by the dialect's names; it has none for Tamil, which is Orama's. */
const listNames: Readonly<Record<string, string>> = {
  arabic: 'ara',
  danish: 'dan',
  dutch: 'nld',
  english: 'eng',
  finnish: 'fin',
  french: 'fra',
  german: 'deu',
  greek: 'ell',
  hungarian: 'hun',
  italian: 'ita',
  norwegian: 'nob',
  portuguese: 'por',
  romanian: 'ron',
  russian: 'rus',
  spanish: 'spa',
  swedish: 'swe',
  turkish: 'tur',
};

/** A test for stopwords of the language, lower case. `unimplemented` where there is no list. */
export function createStopwordTest(language: string): (word: string) => boolean {
  const list = language === 'tamil' ? tamil : stopword[listNames[language] ?? ''];
  if (list === undefined) throw unimplemented(`removing stopwords of ${language}`);
  const keyOf = language === 'greek' ? plainGreek : (word: string) => word;
  const words = new Set(list.map(keyOf));
  return (word) => words.has(keyOf(word));
}
