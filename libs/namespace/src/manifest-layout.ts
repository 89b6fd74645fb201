import type { Manifest, ManifestPart, SegmentReference } from './view.ts';

/** A body that is larger is laid out in parts; smaller than what the head hint takes along, so that it does. */
const wholeBytesMax = 192 << 10;
/** About the size of a part, and the most that a root holds itself. */
const partBytes = 48 << 10;
/** A part that is smaller is joined with a neighbour that has to be written anyway. */
const smallBytes = partBytes / 4;
/** About a segment in a body, without its delete vector. */
const segmentBytes = 192;

/** How a manifest's segments lie in objects: parts that exist already, or are to be written, then those in the root. */
export interface ManifestLayout {
  readonly parts: readonly (ManifestPart | UnwrittenPart)[];
  readonly inline: readonly SegmentReference[];
}

export interface UnwrittenPart {
  readonly object: undefined;
  readonly segments: readonly SegmentReference[];
}

/**
 * Lays an edited manifest out so that a commit writes what the edit changed: a part whose segments are all there still, side by side and the very same
 * values, is kept. What was changed is cut into new parts, the newest segments stay in the root. Pure.
 */
export function layOut({ segments, parts = [] }: Pick<Manifest, 'segments' | 'parts'>): ManifestLayout {
  if (weigh(segments) <= wholeBytesMax) return { parts: [], inline: segments };
  const laid: (ManifestPart | UnwrittenPart)[] = [];
  let loose: SegmentReference[] = [];
  let next = 0;
  for (const { part, start } of keptParts(segments, parts)) {
    loose = loose.concat(segments.slice(next, start));
    next = start + part.segments.length;
    const isJoined = loose.length > 0 && (weigh(loose) < smallBytes || weigh(part.segments) < smallBytes);
    if (isJoined) loose = loose.concat(part.segments);
    else {
      laid.push(...cut(loose), part);
      loose = [];
    }
  }
  loose = loose.concat(segments.slice(next));
  if (weigh(loose) <= partBytes) return { parts: laid, inline: loose };
  const cutParts = cut(loose);
  const inline = cutParts.pop()?.segments ?? [];
  return { parts: [...laid, ...cutParts], inline };
}

/** Parts that are whole in the segments, and where; ascending. */
function keptParts(segments: readonly SegmentReference[], parts: readonly ManifestPart[]) {
  const positions = new Map(segments.map((segment, index) => [segment, index]));
  return parts
    .flatMap((part) => {
      const start = part.segments[0] === undefined ? undefined : positions.get(part.segments[0]);
      if (start === undefined) return [];
      return part.segments.every((segment, index) => segments[start + index] === segment) ? [{ part, start }] : [];
    })
    .sort((a, b) => a.start - b.start);
}

/** Into parts of about one size. */
function cut(segments: readonly SegmentReference[]): UnwrittenPart[] {
  const parts: UnwrittenPart[] = [];
  const target = weigh(segments) / Math.max(1, Math.ceil(weigh(segments) / partBytes));
  let run: SegmentReference[] = [];
  let runBytes = 0;
  for (const segment of segments) {
    run.push(segment);
    runBytes += weigh([segment]);
    if (runBytes < target) continue;
    parts.push({ object: undefined, segments: run });
    run = [];
    runBytes = 0;
  }
  if (run.length > 0) parts.push({ object: undefined, segments: run });
  return parts;
}

function weigh(segments: readonly SegmentReference[]): number {
  let bytes = 0;
  for (const { deleteVector } of segments) {
    bytes += segmentBytes + (deleteVector?.kind === 'inline' ? deleteVector.bitmap.byteLength : 0);
  }
  return bytes;
}
