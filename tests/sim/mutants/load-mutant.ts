import { registerHooks } from 'node:module';
import { mutants } from './mutants.ts';

/**
 * For `node --import`: puts the mutant that MUTANT names into the sources as they are loaded. Throws where the text that is to be replaced is not
 * there exactly once, so that a mutant that went stale is told, and not taken for a bug that nobody finds.
 */
const name = process.env.MUTANT;
const mutant = mutants.find((one) => one.name === name);
if (mutant === undefined) throw new Error(`no mutant ${name}`);

const root = new URL('../../../', import.meta.url);
const waiting = new Set(mutant.edits.map(({ file }) => new URL(file, root).href));

registerHooks({
  load: (url, context, nextLoad) => {
    const loaded = nextLoad(url, context);
    if (!waiting.delete(url)) return loaded;
    let text = String(
      typeof loaded.source === 'string' || loaded.source === undefined || loaded.source === null
        ? loaded.source
        : Buffer.from(loaded.source as Uint8Array),
    );
    for (const { file, find, replace } of mutant.edits) {
      if (new URL(file, root).href !== url) continue;
      const count = text.split(find).length - 1;
      if (count !== 1) throw new Error(`${file} has the text of the mutant ${count} times: ${find}`);
      text = text.replace(find, () => replace);
    }
    return { ...loaded, source: text };
  },
});

process.on('exit', () => {
  if (waiting.size === 0) return;
  process.stderr.write(`never loaded: ${[...waiting].join(' ')}\n`);
  process.exitCode = 3;
});
