/** What can go wrong in a run: probabilities per store call, and a count of how often each did. */
export const faultKinds = [
  'unavailable', // refused, not applied
  'resetBefore', // the connection broke before it was applied
  'resetAfter', // it broke after it was applied
  'lateApply', // no answer in time; applied much later
  'conflict', // 409: another create is under way, say
  'tornBody', // a read ends early
  'flippedBit', // a read differs in one bit
  'slowList',
  'slow', // seconds instead of milliseconds
  'slowSegment', // a builder waits for seconds for a segment, so that others go on while it merges
  'skewedTime', // the store's times are off by up to a day
] as const;

export type FaultKind = (typeof faultKinds)[number];

export const nemesisKinds = [
  'crashIngester',
  'crashQuery',
  'crashCompactor',
  'pause',
  'stopMidway', // right after a write was sent
  'suspend',
  'storm',
  'lostReply',
  'lostRequest',
  'lostHint',
  'heldBuilder', // stopped for hours right after it wrote an object
  'lateFloor', // its writer waits for hours
] as const;
export type NemesisKind = (typeof nemesisKinds)[number];

export type FaultCounts = Record<FaultKind | NemesisKind, number>;

export function createFaultCounts(): FaultCounts {
  return Object.fromEntries([...faultKinds, ...nemesisKinds].map((kind) => [kind, 0])) as FaultCounts;
}

export type FaultPolicy = Readonly<Record<FaultKind, number>>;

export const noFaults: FaultPolicy = Object.fromEntries(faultKinds.map((kind) => [kind, 0])) as Record<
  FaultKind,
  number
>;

export const ordinaryFaults: FaultPolicy = {
  unavailable: 0.01,
  resetBefore: 0.01,
  resetAfter: 0.015,
  lateApply: 0.005,
  conflict: 0.01,
  tornBody: 0.003,
  flippedBit: 0.003,
  slowList: 0.05,
  slow: 0.01,
  slowSegment: 0,
  skewedTime: 0.01,
};
