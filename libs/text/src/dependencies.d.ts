declare module 'snowball-stemmers' {
  export interface Stemmer {
    stem(word: string): string;
  }
  const snowball: { newStemmer(language: string): Stemmer; algorithms(): string[] };
  export default snowball;
}

declare module 'fold-to-ascii' {
  const asciiFolder: { foldMaintaining(text: string): string };
  export default asciiFolder;
}

declare module 'stopword' {
  const stopword: { readonly [language: string]: readonly string[] };
  export default stopword;
}
