/** Which rules of a long list can match at all, by the first character of the number: the others need not be tried. */
import type { CompiledRule } from './translate.ts'

export type RuleStarts = {
  /** In the order of the list. */
  of(digits: string): readonly CompiledRule[]
}

export function rulesByStart(rules: readonly CompiledRule[]): RuleStarts {
  const starts = rules.map((rule) => startOf(rule.pattern.source))
  const anywhere = rules.filter((_, i) => starts[i] === undefined)
  const lists = new Map<string, readonly CompiledRule[]>()
  for (const start of new Set(starts))
    if (start !== undefined)
      lists.set(
        start,
        rules.filter((_, i) => starts[i] === undefined || starts[i] === start),
      )
  return { of: (digits) => lists.get(digits.charAt(0)) ?? anywhere }
}

/** The one character with which every match begins, at the beginning of the number; undefined: it may be any, or none. */
export function startOf(source: string): string | undefined {
  // an alternative, or a group that may be left out, may begin otherwise
  if (source.includes('|') || /\)[?*{]/.test(source)) return undefined
  return /^\^\(?(?:([0-9])|\\([+*]))(?![?*{])/
    .exec(source)
    ?.slice(1)
    .find((found) => found !== undefined)
}
