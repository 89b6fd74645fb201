import { expect, test } from '@jest/globals';
import { createSeededRandom, createSystemClock, noMetrics, silentLog } from '@lagoon/base';
import { createNamespaceLog, headKey, logKey } from '@lagoon/namespace';
import { createMemoryStore, type ObjectStore } from '@lagoon/object-store';
import { fsck } from './fsck.ts';

const clock = createSystemClock();
const batch = { parts: [], upsertedRowCount: 0, deletedRowCount: 0, idempotency: [] };
const schema = { idKind: 'u64', attributes: new Map() } as const;

function createNames() {
  const store = createMemoryStore({ clock });
  const log = createNamespaceLog({
    ...{ store, clock, random: createSeededRandom(1) },
    ...{ log: silentLog, metrics: noMetrics },
  });
  const write = async (name: string): Promise<void> => {
    const { view } = await log.open(name);
    const birth = { kind: 'birth', incarnation: name, family: name, batch: { ...batch, schema } } as const;
    const { view: after } = await log.append(view, ({ live }) =>
      live === undefined ? birth : { kind: 'batch', ...batch },
    );
    await log.writeHint(after);
  };
  return { store, write };
}

/** Something happens when the keys below a prefix have just been listed, or are about to be. */
function onListing(
  store: ObjectStore,
  prefix: string,
  when: 'before' | 'after',
  work: () => Promise<void>,
): ObjectStore {
  const list: ObjectStore['list'] = async (options, signal) => {
    if (options.prefix === prefix && when === 'before') await work();
    const page = await store.list(options, signal);
    if (options.prefix === prefix && when === 'after') await work();
    return page;
  };
  return { ...store, list };
}

test('a log that grows after it was listed, and a name that is born while keys are listed, are nothing wrong', async () => {
  const { store, write } = createNames();
  await write('one');
  expect((await fsck(onListing(store, 'ns/', 'after', () => write('one')))).problems).toEqual([]);
  expect((await fsck(onListing(store, 'ns/', 'before', () => write('two')))).problems).toEqual([]);
});

test('a hint ahead of its log, or of no generation, is reported', async () => {
  const { store, write } = createNames();
  await write('one');
  await write('one');
  await store.delete([logKey('one', 2)]);
  expect((await fsck(store)).problems).toEqual([
    { key: logKey('one', 2), problem: 'is missing: the head hint knows 2' },
  ]);
  await store.put(headKey('one'), Uint8Array.of(255));
  expect((await fsck(store)).problems.map(({ key }) => key)).toEqual([headKey('one')]);
});
