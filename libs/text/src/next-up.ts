/** Three quarters of the distance between numbers next to 1: added to a number and rounded it gives the next one. */
const step = 0.75 * Number.EPSILON;

/** Below it the step itself would lose digits. */
const plainMin = 1e-290;

/** The smallest number above a finite one that is above 0. */
export function nextUp(value: number): number {
  if (value > plainMin) return value + value * step;
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  view.setBigInt64(0, view.getBigInt64(0) + 1n);
  return view.getFloat64(0);
}
