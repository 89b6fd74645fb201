import type { SegmentSection } from './segment-footer.v1.ts';
import { footerLeadBytesMax, sectionKind } from './segment-layout.v1.ts';

/** Where the footer of a segment lies in its object, in bytes: for the manifest. */
export interface FooterPlace {
  readonly offset: number;
  readonly size: number;
  /** Bytes right before it that are worth reading with it: the clusters, where they are not too large. Absent: none. */
  readonly lead?: number;
}

/** `offset`: where the footer begins. Clusters are the last sections. */
export function leadOf(sections: readonly SegmentSection[], offset: number): Pick<FooterPlace, 'lead'> {
  const first = sections.find(({ kind }) => kind === sectionKind.clusters);
  const lead = first === undefined ? 0 : offset - first.offset;
  return lead > 0 && lead <= footerLeadBytesMax ? { lead } : {};
}
