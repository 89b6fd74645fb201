import { readFileSync } from 'node:fs';

export const lagoonVersion = versionOf(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')));

function versionOf(manifest: { readonly version?: unknown }): string {
  return typeof manifest.version === 'string' ? manifest.version : '0.0.0';
}
