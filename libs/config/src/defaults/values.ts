/** What is written once for every section: durations, bandwidths, named things, rules. */
import type { NumberRule } from '../configuration.ts'
import { readRule, type WrittenRule } from '../rule-form.ts'
import { parseBandwidth, parseDuration } from '../units.ts'

export const ms = (written: string | undefined, otherwise: number) =>
  written === undefined ? otherwise : parseDuration(written)

export const seconds = (written: string | undefined, otherwise: number) =>
  Math.floor(ms(written, otherwise * 1000) / 1000)

export const kbps = (written: string | undefined) => (written === undefined ? null : parseBandwidth(written))

export function each<T, R>(
  record: Record<string, T> | undefined,
  build: (name: string, value: T) => R,
): Record<string, R> {
  return Object.fromEntries(Object.entries(record ?? {}).map(([name, value]) => [name, build(name, value)]))
}

/** The check has seen to it that every form can be built. */
export function numberRule(written: WrittenRule): NumberRule {
  const rule = readRule(written)
  const { match, to } = rule.kind === 'rule' ? rule : { match: '^$', to: '' }
  return { match, to, ...(written.name === undefined ? {} : { name: written.name }) }
}

/** `40%` → 0.4 */
export const share = (written: string): number => Number(written.slice(0, -1)) / 100
