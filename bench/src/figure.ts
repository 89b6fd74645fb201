/** A figure that has an aim: `make bench` puts them all into one table at its end. */
export interface Figure {
  readonly name: string;
  readonly aim: string;
  readonly value: string;
  /** Undefined: it could not be measured, the value says why. */
  readonly met: boolean | undefined;
}

/** How a figure is written: by default as a ratio with three digits. */
export interface FigureStyle {
  readonly unit?: string;
  readonly digits?: number;
}

/** Prints the figure, and hands it to `make bench` where that runs this process. */
export function report(figure: Figure): void {
  process.send?.(figure);
  process.stdout.write(`  ${figureLine(figure)}\n`);
}

/** Undefined values are of peers that are not there. */
export function reportAtMost(name: string, value: number | undefined, most: number, style: FigureStyle = {}): void {
  reportAgainst(name, value, `≤ ${most}${style.unit ?? '×'}`, (figure) => figure <= most, style);
}

export function reportAtLeast(name: string, value: number | undefined, least: number, style: FigureStyle = {}): void {
  reportAgainst(name, value, `≥ ${least}${style.unit ?? '×'}`, (figure) => figure >= least, style);
}

function reportAgainst(
  name: string,
  value: number | undefined,
  aim: string,
  isMet: (value: number) => boolean,
  { unit = '×', digits = 3 }: FigureStyle,
): void {
  const written = value === undefined ? 'not measured' : `${value.toFixed(digits)}${unit}`;
  report({ name, aim, value: written, met: value === undefined ? undefined : isMet(value) });
}

/** Of two times or sizes; undefined where one of them was not measured. */
export function ratioOf(ours: number | undefined, theirs: number | undefined): number | undefined {
  return ours === undefined || theirs === undefined ? undefined : ours / theirs;
}

export function figureLine({ name, aim, value, met }: Figure): string {
  const verdict = met === undefined ? 'NOT MEASURED' : met ? 'met' : 'MISSED';
  return `${verdict.padEnd(12)}  ${value.padStart(12)}  (${aim})  ${name}`;
}

export function isFigure(message: unknown): message is Figure {
  return typeof message === 'object' && message !== null && 'name' in message && 'aim' in message && 'value' in message;
}
