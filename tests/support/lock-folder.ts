import { execFile } from 'node:child_process';
import { chmod } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Makes it impossible to make files in a folder, until the answer is called: by its mode, or, as modes do not hold root, by the attribute
 * `i` of Linux file systems. Undefined, and said on stderr, where neither is possible.
 */
export async function lockFolder(folder: string): Promise<(() => Promise<void>) | undefined> {
  if (process.getuid?.() !== 0) {
    await chmod(folder, 0o555);
    return async () => await chmod(folder, 0o755);
  }
  try {
    await run('chattr', ['+i', folder]);
  } catch (error) {
    process.stderr.write(`NOT TESTED: a folder that root cannot write, chattr +i failed: ${error}\n`);
    return undefined;
  }
  return async () => {
    await run('chattr', ['-i', folder]);
  };
}
