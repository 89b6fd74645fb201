/** Without accents and without the final form of sigma, as lists of words and the stemmer have it. */
export function plainGreek(word: string): string {
  return word.normalize('NFD').replace(/\p{M}/gu, '').replaceAll('ς', 'σ');
}
