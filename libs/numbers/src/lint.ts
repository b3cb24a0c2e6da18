import { type CountryCode, getExampleNumber, isSupportedCountry } from 'libphonenumber-js/max'
import examples from 'libphonenumber-js/mobile/examples'
import type { WrittenDialPlan, WrittenDialRule } from './dial-plan.ts'
import { callingCode, isE164, isPlausible } from './e164.ts'
import {
  type CompiledPattern,
  compilePattern,
  compileTemplate,
  longestInput,
  type Pattern,
  substitute,
} from './pattern.ts'
import { isCovered } from './pattern-language.ts'
import { samples } from './pattern-sample.ts'
import { choices, type PatternTree } from './pattern-tree.ts'
import type { WrittenRule } from './translate.ts'

export type Finding = {
  /** An error means that the rule cannot work at all. */
  readonly severity: 'error' | 'warning'
  readonly code: 'unsupported' | 'no-such-group' | 'unanchored' | 'not-e164' | 'shadowed' | 'prefix'
  /** Index of the rule in its list; -1 is about the list itself. */
  readonly index: number
  readonly rule: string
  readonly message: string
  /** What to write instead. */
  readonly hint?: string
}

type Named = { readonly name: string; readonly index: number; readonly rule: WrittenRule; readonly pattern: Pattern }

/**
 * What is wrong with a dial plan; `country` is where its national numbers are. With `lint: false` only errors are
 * looked for: the rest takes time that a service does not have.
 */
export function lintDialPlan(
  plan: WrittenDialPlan,
  options: { readonly country: string; readonly lint?: boolean },
): Finding[] {
  const findings: Finding[] = []
  if (!/^[#*0-9]{0,4}$/.test(plan.externalPrefix)) {
    const message = `the external prefix "${plan.externalPrefix}" is not at most four of #, * and digits`
    findings.push({ severity: 'error', code: 'prefix', index: -1, rule: '', message })
  }
  const usable = compile(plan.rules, findings)
  if (options.lint === false) return findings.filter(({ severity }) => severity === 'error')
  for (const named of usable) {
    if (!(named.rule as WrittenDialRule).internal) checkResult(named, options.country, findings)
  }
  // Internal rules are walked before the others, in a pass of their own.
  const inside = usable.filter(({ rule }) => (rule as WrittenDialRule).internal)
  const outside = usable.filter(({ rule }) => !(rule as WrittenDialRule).internal)
  for (const pass of [inside, outside]) checkShadows(pass, findings)
  return findings.sort((a, b) => a.index - b.index)
}

/** What is wrong with one list of trunk translations. */
export function lintTranslations(rules: readonly WrittenRule[], options: { readonly lint?: boolean } = {}): Finding[] {
  const findings: Finding[] = []
  const usable = compile(rules, findings)
  if (options.lint === false) return findings.filter(({ severity }) => severity === 'error')
  checkShadows(usable, findings)
  return findings.sort((a, b) => a.index - b.index)
}

/** Measured: a way of a simple pattern, a pattern in RE2 on a text of 256 characters, one more of its instructions; ms. */
const [perWay, perRe2, perInstruction] = [0.000_005, 1, 0.001]

/**
 * What it may take at most to try all of these on the longest text that is let in, ms: no single pattern can hold up a call,
 * but a thousand that are slow could. Rough, and rather too much than too little.
 */
export function worstMilliseconds(sources: readonly string[]): number {
  let total = 0
  for (const source of sources) {
    const compiled = compilePattern(source)
    if (compiled.kind === 'unsupported') continue
    const { engine, tree, size } = compiled.pattern
    total +=
      engine === 're2' ? perRe2 + size * perInstruction : 0.003 + choices(tree as PatternTree, longestInput) * perWay
  }
  return total
}

/** What is wrong with the patterns of one route: `match` has index 0, `except` follow. */
export function lintRoute(route: { name: string; match: string; except?: readonly string[] }): Finding[] {
  const findings: Finding[] = []
  for (const [index, source] of [route.match, ...(route.except ?? [])].entries()) {
    const compiled = compilePattern(source)
    if (compiled.kind === 'unsupported') findings.push(unsupported(compiled, index, route.name))
    else if (!source.startsWith('^')) {
      const message = `"${source}" matches anywhere inside a number`
      findings.push({
        severity: 'warning',
        code: 'unanchored',
        index,
        rule: route.name,
        message,
        hint: `write '^${source}'`,
      })
    }
  }
  return findings
}

const unsupported = (compiled: CompiledPattern & { kind: 'unsupported' }, index: number, rule: string): Finding => ({
  severity: 'error',
  code: 'unsupported',
  index,
  rule,
  message: compiled.message,
  hint: compiled.hint,
})

function compile(rules: readonly WrittenRule[], findings: Finding[]): Named[] {
  const usable: Named[] = []
  for (const [index, rule] of rules.entries()) {
    const name = rule.name ?? rule.match
    const compiled = compilePattern(rule.match)
    if (compiled.kind === 'unsupported') {
      findings.push(unsupported(compiled, index, name))
      continue
    }
    const { pattern } = compiled
    usable.push({ name, index, rule, pattern })
    checkGroups(usable.at(-1) as Named, findings)
    checkAnchors(usable.at(-1) as Named, findings)
  }
  return usable
}

function checkGroups({ name, index, rule, pattern }: Named, findings: Finding[]): void {
  const { highestGroup } = compileTemplate(rule.to)
  if (highestGroup <= pattern.groups) return
  const message = `"${rule.to}" uses $${highestGroup}, but "${rule.match}" has ${pattern.groups === 1 ? 'one group' : `${pattern.groups} groups`}`
  findings.push({
    severity: 'error',
    code: 'no-such-group',
    index,
    rule: name,
    message,
    hint:
      pattern.groups === 0
        ? 'put ( ) around the digits to keep'
        : `use $1${pattern.groups > 1 ? ` to $${pattern.groups}` : ''}`,
  })
}

function checkAnchors({ name, index, rule }: Named, findings: Finding[]): void {
  const start = rule.match.startsWith('^')
  const end = /(?:^|[^\\])(?:\\\\)*\$$/.test(rule.match)
  if (start && end) return
  const missing = start ? 'the end ($)' : end ? 'the beginning (^)' : 'the beginning (^) and the end ($)'
  const message = `"${rule.match}" is not tied to ${missing} of the number: it also takes longer numbers and changes only a part of them`
  const hint = `write '${start ? '' : '^'}${rule.match}${end ? '' : '$'}'`
  findings.push({ severity: 'warning', code: 'unanchored', index, rule: name, message, hint })
}

/** A number of this country with its country code, as digits. */
function homeNumber(country: string): string {
  const own = isSupportedCountry(country) ? getExampleNumber(country as CountryCode, examples)?.number : undefined
  return (own ?? '+12015550123').slice(1)
}
const abroad = ['442079460000', '12015550123', '4930123456']

/** Dials real numbers and looks at what the rule makes of them: one good result is enough, a wrong one too many. */
function checkResult({ name, index, rule, pattern }: Named, country: string, findings: Finding[]): void {
  if (pattern.tree === undefined) return
  const home = homeNumber(country)
  const national = home.slice(callingCode(country).length)
  const ownForms = [home, national, `0${national}`]
  const template = compileTemplate(rule.to)
  let good = false
  let bad: string | undefined
  let mended: string | undefined
  for (const dialled of samples(pattern.tree, home, abroad)) {
    const match = pattern.exec(dialled)
    if (match === null) continue
    const result = substitute(dialled, match, template)
    // A number of this country, dialled in full by its digits, must stay that number: a country code is easily lost.
    const kept = ownForms.includes(dialled) && match.groups.slice(1).some((group) => group.length >= 7)
    if (kept && result !== `+${home}`) {
      good = false
      bad = `${dialled} becomes ${result}, not +${home}`
      const to = `+${callingCode(country)}${rule.to.replace(/^\+/, '')}`
      if (substitute(dialled, match, compileTemplate(to)) === `+${home}`) mended = to
      break
    }
    if (isE164(result) && isPlausible(result)) good = true
    else bad ??= `${dialled} becomes ${result}`
  }
  if (good || bad === undefined) return
  const message = `the result is not the E.164 number that was dialled: ${bad}`
  const hint =
    mended === undefined
      ? 'a result is "+", the country code and the national number; is the country code inside the group?'
      : `write to: '${mended}'`
  findings.push({ severity: 'warning', code: 'not-e164', index, rule: name, message, hint })
}

function checkShadows(rules: readonly Named[], findings: Finding[]): void {
  const above: { name: string; pattern: Pattern }[] = []
  for (const { name, index, pattern } of rules) {
    const by = hiddenBy(pattern, above)
    if (by !== undefined) {
      const message = `never used: every number that it matches is taken by ${by} above`
      findings.push({
        severity: 'warning',
        code: 'shadowed',
        index,
        rule: name,
        message,
        hint: 'move it up or take it out',
      })
    }
    above.push({ name, pattern })
  }
}

/** The one rule that hides the pattern, or all of them together; undefined when it gets calls. */
function hiddenBy(pattern: Pattern, above: readonly { name: string; pattern: Pattern }[]): string | undefined {
  const same = above.find((other) => other.pattern.source === pattern.source)
  if (same !== undefined) return `"${same.name}"`
  const { tree } = pattern
  if (tree === undefined) return undefined
  // Few rules take a number from another: one that no rule above takes ends the matter before it is proven.
  const tried = samples(tree, '12015550123', abroad).filter((number) => pattern.test(number))
  const takes = (other: { pattern: Pattern }) => tried.filter((number) => other.pattern.test(number))
  const taken = above.map((other) => ({ other, numbers: takes(other) }))
  const all = new Set(taken.flatMap(({ numbers }) => numbers))
  if (all.size < tried.length) return undefined
  const treeOf = ({ other }: (typeof taken)[number]): PatternTree[] => (other.pattern.tree ? [other.pattern.tree] : [])
  const one = taken.find((each) => each.numbers.length === tried.length && isCovered(tree, treeOf(each)))
  if (one !== undefined) return `"${one.other.name}"`
  return isCovered(tree, taken.flatMap(treeOf)) ? 'the rules' : undefined
}
