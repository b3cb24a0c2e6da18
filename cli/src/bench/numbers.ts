/** The numbers that a measurement dials, and the prefixes that both systems look them up in. */

const PREFIXES = 10_000

/** `1` + NPA + NXX: area codes and exchanges of the North American plan, as many as a small carrier's deck has. */
export const benchPrefixes: readonly string[] = [...areaCodes()]
  .flatMap((area) => Array.from({ length: 40 }, (_, i) => `1${area}${220 + i * 17}`))
  .slice(0, PREFIXES)

function* areaCodes(): Generator<number> {
  // N11 are service codes, N9X is kept for a longer plan
  for (let area = 201; area < 990; area++) if (area % 100 !== 11 && Math.floor(area / 10) % 10 !== 9) yield area
}

/** A number in one of the prefixes, `12065550100`; `at` is between 0 and 1. */
export function benchNumber(at: number): string {
  const index = Math.floor(at * benchPrefixes.length)
  return `${benchPrefixes[index]}${String(index % 10_000).padStart(4, '0')}`
}
