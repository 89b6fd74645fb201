import type { FamilyVerdict } from '@lagoon/namespace';

export interface Tally {
  readonly count: number;
  readonly bytes: number;
}

/** What a pass did, and what it left and why. */
export interface GcReport {
  /** By kind and reason. */
  readonly garbage: ReadonlyMap<string, Tally>;
  /** By reason: what nothing needs and that may not be deleted yet. */
  readonly waiting: ReadonlyMap<string, Tally>;
  readonly deleted: ReadonlyMap<string, Tally>;
  readonly floorsRaised: number;
  readonly jobsRevoked: number;
  readonly birthsGivenUp: number;
  readonly markersRestored: number;
  readonly failures: readonly { readonly subject: string; readonly error: unknown }[];
}

export interface ReportBuilder {
  readonly report: GcReport;
  addVerdict(verdict: FamilyVerdict): void;
  addDeleted(kind: string, size: number): void;
  addFloor(): void;
  addRevoked(count: number): void;
  addBirth(): void;
  addMarker(): void;
  addFailure(subject: string, error: unknown): void;
}

export function createReport(): ReportBuilder {
  const garbage = new Map<string, Tally>();
  const waiting = new Map<string, Tally>();
  const deleted = new Map<string, Tally>();
  const failures: { subject: string; error: unknown }[] = [];
  const report = {
    garbage,
    waiting,
    deleted,
    failures,
    floorsRaised: 0,
    jobsRevoked: 0,
    birthsGivenUp: 0,
    markersRestored: 0,
  };
  return {
    report,
    addVerdict: (verdict) => {
      for (const { kind, reason, size } of verdict.garbage) tally(garbage, `${kind}: ${reason}`, size);
      for (const { reason, size } of verdict.waiting) tally(waiting, reason, size);
    },
    addDeleted: (kind, size) => tally(deleted, kind, size),
    addFloor: () => {
      report.floorsRaised++;
    },
    addRevoked: (count) => {
      report.jobsRevoked += count;
    },
    addBirth: () => {
      report.birthsGivenUp++;
    },
    addMarker: () => {
      report.markersRestored++;
    },
    addFailure: (subject, error) => failures.push({ subject, error }),
  };
}

function tally(tallies: Map<string, Tally>, label: string, bytes: number): void {
  const before = tallies.get(label) ?? { count: 0, bytes: 0 };
  tallies.set(label, { count: before.count + 1, bytes: before.bytes + bytes });
}
