import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { type Mutant, mutants } from './mutants/mutants.ts';

const run = promisify(execFile);
const folder = new URL('./mutants/', import.meta.url);
const pathOf = (file: string) => fileURLToPath(new URL(file, folder));
const seedCountMax = 200;

interface Finding {
  readonly seed: number;
  readonly wrong: readonly string[];
}

/** The first seed with a finding; undefined: none. A process of its own, for the sources are changed as they are loaded. */
async function hunt({ name, hunt: kind }: Mutant, isMutated: boolean, seeds: string): Promise<Finding | undefined> {
  const environment = { ...process.env, NODE_OPTIONS: '', MUTANT: name, HUNT: kind, SEEDS: seeds };
  const loader = isMutated ? ['--import', pathOf('load-mutant.ts')] : [];
  const { stdout } = await run(process.execPath, [...loader, pathOf('hunt.ts')], { env: environment });
  return stdout === '' ? undefined : (JSON.parse(stdout) as Finding);
}

describe('a bug on purpose is found by the simulation within 200 seeds', () => {
  test.each(mutants)(
    '$name',
    async (mutant) => {
      const found = await hunt(mutant, true, `${mutant.seed},1-${seedCountMax}`);
      process.stdout.write(`${mutant.name}: found by seed ${found?.seed} (${mutant.hunt}): ${found?.wrong[0]}\n`);
      expect(found?.wrong.join('\n')).toMatch(mutant.finding);
      expect(await hunt(mutant, false, String(found?.seed))).toBeUndefined(); // it is the mutant that is found
    },
    600_000,
  );
});
