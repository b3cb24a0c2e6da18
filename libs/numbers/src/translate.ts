import { compilePattern, compileTemplate, type Pattern, substitute, type Template } from './pattern.ts'

export type WrittenRule = { readonly match: string; readonly to: string; readonly name?: string | undefined }
export type CompiledRule = {
  readonly name: string
  readonly to: string
  readonly pattern: Pattern
  readonly template: Template
}
export type Translations = readonly CompiledRule[]
export type Translated = { readonly number: string; readonly rule: string | undefined }

/** Rules whose pattern cannot be used are left out here and reported by the lint. */
export function compileRules(rules: readonly WrittenRule[]): Translations {
  const compiled: CompiledRule[] = []
  for (const rule of rules) {
    const outcome = compilePattern(rule.match)
    if (outcome.kind === 'unsupported') continue
    const { pattern } = outcome
    compiled.push({ name: rule.name ?? rule.match, to: rule.to, pattern, template: compileTemplate(rule.to) })
  }
  return compiled
}

/** What the rule makes of the text, or undefined when it does not match. */
export function applyRule(rule: CompiledRule, text: string): string | undefined {
  const match = rule.pattern.exec(text)
  return match === null ? undefined : substitute(text, match, rule.template)
}

/** Trunk translation (Teams: number translation): first match wins, no match leaves the number as it is. */
export function translate(rules: Translations, number: string): Translated {
  for (const rule of rules) {
    const result = applyRule(rule, number)
    if (result !== undefined) return { number: result, rule: rule.name }
  }
  return { number, rule: undefined }
}
