/** Numbers as the legend writes them; the rules stand in docs/architecture.md. */

/** Three significant digits, no trailing zeros; below 1e-4 two digits and an exponent. */
export function figure(value: number): string {
  if (value === 0) return "0";
  if (!Number.isFinite(value)) return String(value);
  if (Math.abs(value) < 1e-4) {
    const [digits, exponent] = value.toExponential(1).split("e") as [string, string];
    return `${digits.replace(/\.0$/, "")}e${exponent}`;
  }
  return String(Number(value.toPrecision(3)));
}

export const timestep_text = (timestep: number): string => String(Number(timestep.toFixed(1)));

/** A probability in a column of numbers: always three decimals, and never a bare zero for what is not zero. */
export function probability(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (value > 0 && value < 0.0005) return "<.001";
  return value.toFixed(3);
}
