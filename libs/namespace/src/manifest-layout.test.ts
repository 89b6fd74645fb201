import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { layOut } from './manifest-layout.ts';
import type { ManifestPart, SegmentReference } from './view.ts';

let keyCount = 0;

function segment(deadBytes = 0): SegmentReference {
  const object = { key: `data/f/i/j-${keyCount++}.seg`, size: 10, sha256: new Uint8Array(32) };
  const counts = { rowCount: 10, liveRowCount: 10, logicalBytes: 80, generationFirst: 1, generationLast: 1 };
  const vector = { kind: 'inline', bitmap: new Uint8Array(deadBytes) } as const;
  return { object, ...counts, deleteVector: deadBytes === 0 ? undefined : vector };
}

const segmentsOf = (count: number) => Array.from({ length: count }, () => segment());

/** As after a commit: every part has its object. */
function written(segments: readonly SegmentReference[], before: readonly ManifestPart[] = []) {
  const layout = layOut({ segments, parts: before });
  const parts = layout.parts.map((part): ManifestPart => {
    const object = part.object ?? { key: `part${keyCount++}`, size: 1, sha256: new Uint8Array(32) };
    return { object, segments: part.segments };
  });
  const writtenCount = layout.parts
    .filter(({ object }) => object === undefined)
    .flatMap((part) => part.segments).length;
  return { parts, inline: layout.inline, writtenCount };
}

describe('layout of a manifest', () => {
  test('a small one is whole', () => {
    const segments = segmentsOf(1_000);
    expect(layOut({ segments, parts: [] })).toEqual({ parts: [], inline: segments });
  });

  test('of 20,000 segments: one more, one changed, or one dropped, costs a part, not the manifest', () => {
    const segments = segmentsOf(20_000);
    const first = written(segments);
    expect(first.parts.length).toBeLessThan(200);
    expect(first.inline.length).toBeLessThan(300);
    const added = written([...segments, segment()], first.parts);
    expect(added.writtenCount).toBeLessThan(300);
    const changed = written(segments.with(7_000, segment()), first.parts);
    expect(changed.writtenCount).toBeLessThan(300);
    const dropped = written(segments.toSpliced(7_000, 1), first.parts);
    expect(dropped.writtenCount).toBeLessThan(300);
    const scattered = written(
      segments.map((one, index) => (index % 4_000 === 0 ? segment() : one)),
      first.parts,
    );
    expect(scattered.writtenCount).toBeLessThan(5 * 300);
  });

  test('delete vectors in place count: a part stays of about one size', () => {
    const { parts } = written(Array.from({ length: 2_000 }, () => segment(4_096)));
    for (const part of parts) expect(part.segments.length).toBeLessThan(20);
  });

  test('whatever is edited, the segments are the parts and then the rest, and parts do not fall to pieces', () => {
    const edit = fc.record({ at: fc.nat(), kind: fc.constantFrom('add', 'change', 'drop', 'merge', 'many') });
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 60 }), (edits) => {
        let segments = segmentsOf(3_000);
        let parts: readonly ManifestPart[] = written(segments).parts;
        for (const { at, kind } of edits) {
          const index = segments.length === 0 ? 0 : at % segments.length;
          if (kind === 'add') segments = [...segments, segment()];
          if (kind === 'change') segments = segments.with(index, segment(at % 100));
          if (kind === 'drop') segments = segments.toSpliced(index, 1);
          if (kind === 'merge') segments = segments.toSpliced(index, 40, segment());
          if (kind === 'many') segments = [...segments, ...segmentsOf(300)];
          const next = written(segments, parts);
          expect([...next.parts.flatMap((part) => part.segments), ...next.inline]).toEqual(segments);
          parts = next.parts;
        }
        const bytes = segments.length * 192;
        expect(parts.length).toBeLessThan(4 + (3 * bytes) / (12 << 10));
      }),
      { numRuns: 30 },
    );
  });
});
