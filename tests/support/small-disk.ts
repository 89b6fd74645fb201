import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
export const diskBytes = 16 << 20;

/** A directory that takes some 16 MiB, and the way to run a process that has its data there. */
export interface SmallDisk {
  readonly way: 'mount' | 'namespace' | 'file-size';
  readonly directory: string;
  /** In front of the process that uses it. */
  readonly wrapper: readonly string[];
  /** Takes all the room that is left; undefined where only single files are bounded. */
  readonly fill?: (pid: number) => Promise<void>;
  readonly free?: (pid: number) => Promise<void>;
  close(): Promise<void>;
}

/**
 * The first that this machine allows: a tmpfs of its own (root), one in a user namespace of the process's own (Linux), or a bound on the
 * size of single files (anywhere), which says on stderr that the rest of the test has not been run.
 */
export async function openSmallDisk(): Promise<SmallDisk> {
  const folder = await mkdtemp(join(tmpdir(), 'lagoon-small-disk-'));
  const directory = join(folder, 'data');
  await mkdir(directory);
  const wanted = process.env.LAGOON_TEST_SMALL_DISK;
  const clean = () => rm(folder, { recursive: true, force: true });
  if ((wanted ?? 'mount') === 'mount' && (await succeeds('mount', ...mountOf(directory)))) {
    const inside = () => directory;
    return {
      way: 'mount',
      directory,
      wrapper: [],
      ...fillers(inside),
      close: async () => {
        await run('umount', [directory]);
        await clean();
      },
    };
  }
  const script = `mount ${mountOf(directory).join(' ')} && exec "$@"`;
  const wrapper = ['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c', script, 'sh'];
  if ((wanted ?? 'namespace') === 'namespace' && (await succeeds(wrapper[0] ?? '', ...wrapper.slice(1), 'true'))) {
    const inside = (pid: number) => `/proc/${pid}/root${directory}`;
    return { way: 'namespace', directory, wrapper, ...fillers(inside), close: clean };
  }
  process.stderr.write(
    'NOT TESTED: a disk without any room. This machine allows neither mount nor user namespaces; only the size of files is bounded. ' +
      'Run as root, or allow unprivileged user namespaces.\n',
  );
  const bounded = ['sh', '-c', `ulimit -f ${diskBytes / 512} && exec "$@"`, 'sh'];
  return { way: 'file-size', directory, wrapper: bounded, close: clean };
}

function mountOf(directory: string): readonly string[] {
  return ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'lagoon-test', directory];
}

function fillers(inside: (pid: number) => string) {
  const filler = (pid: number) => join(inside(pid), 'filler');
  return {
    fill: async (pid: number) => {
      const file = await open(filler(pid), 'w');
      try {
        for (let size = 1 << 20; size >= 1; size = Math.floor(size / 2)) {
          while (await file.write(Buffer.alloc(size)).then(({ bytesWritten }) => bytesWritten === size, isFull));
        }
      } finally {
        await file.close();
      }
    },
    free: async (pid: number) => await rm(filler(pid)),
  };
}

function isFull(error: unknown): false {
  if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOSPC') return false;
  throw error;
}

async function succeeds(program: string, ...argv: readonly string[]): Promise<boolean> {
  return await run(program, [...argv], { timeout: 10_000 }).then(
    () => true,
    () => false,
  );
}
