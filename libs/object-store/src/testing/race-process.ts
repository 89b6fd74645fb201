import { createSystemRandom } from '@lagoon/base';
import { createFileSystemStore } from '../filesystem.ts';

// One of several processes that create the same keys in a directory: prints those that it was told it had created.
const [root = '', name = '', keyCount = '0'] = process.argv.slice(2);
const store = await createFileSystemStore({ root, random: createSystemRandom() });
const keys = Array.from({ length: Number(keyCount) }, (_, i) => `race/${i}`);
const won: string[] = [];
for (const key of keys) {
  const result = await store.create(key, new TextEncoder().encode(name));
  if (result.outcome === 'created') won.push(key);
}
await store.close();
process.stdout.write(JSON.stringify(won));
