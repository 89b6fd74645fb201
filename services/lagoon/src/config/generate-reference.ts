import { mkdir, writeFile } from 'node:fs/promises';
import { renderReference } from './reference.ts';

const target = new URL('../../../../docs/reference/configuration.md', import.meta.url);
await mkdir(new URL('.', target), { recursive: true });
await writeFile(target, renderReference());
