/** The lint of libs/numbers, said at the place in the file. */
import { type Finding, lintDialPlan, lintRoute, lintTranslations, worstMilliseconds } from '@tandem/numbers/lint.ts'
import type { Findings } from './findings.ts'
import { readRule, type WrittenRule } from './rule-form.ts'
import type { ConfigurationDocument } from './schema.ts'
import type { Path } from './source.ts'

/** Every rule, route and translation that has a pattern. With `lint: false` only what cannot work at all is said. */
export function patternProblems(d: ConfigurationDocument, found: Findings, { lint }: { lint: boolean }): void {
  const country = d.country ?? 'US'
  for (const [name, { rules, externalPrefix = '' }] of Object.entries(d.dialPlans)) {
    const at = ['dialPlans', name, 'rules']
    const { usable, places } = readRules(at, rules, found)
    const plan = {
      name,
      externalPrefix,
      rules: usable.map((rule, i) => ({ ...rule, internal: internalOf(rules, places, i) })),
    }
    say(at, places, lintDialPlan(plan, { country, lint }), rules, found)
    if (lint)
      patience(
        at,
        `the rules of ${name}`,
        plan.rules.map(({ match }) => match),
        found,
      )
  }
  for (const [i, route] of (d.routes ?? []).entries()) {
    const { name, match, except = [] } = route
    for (const finding of lintRoute({ name, match, except })) {
      const at = finding.index === 0 ? ['routes', i, 'match'] : ['routes', i, 'except', finding.index - 1]
      put(at, finding, found)
    }
  }
  const all = (d.routes ?? []).flatMap(({ match, except = [] }) => [match, ...except])
  if (lint) patience(['routes'], 'all routes', all, found)
  for (const [name, { mayShow }] of Object.entries(d.policies))
    shownPatterns(['policies', name, 'mayShow'], mayShow, found)
  for (const name in d.users) shownPatterns(['users', name, 'mayShow'], d.users[name]?.mayShow, found)
  for (const [name, trunk] of Object.entries(d.trunks)) {
    const { callerId } = trunk
    shownPatterns(['trunks', name, 'callerId', 'allow'], callerId?.allow, found)
    if (callerId !== undefined && (callerId.otherwise ?? 'replace') === 'replace' && callerId.number === undefined) {
      const instead = 'Add number: "+1…", or otherwise: suppress or reject.'
      found.problem(['trunks', name, 'callerId'], 'nothing says which number is shown instead', instead, 'key')
    }
    for (const way of ['outbound', 'inbound'] as const) {
      for (const which of ['called', 'calling'] as const) {
        const rules = trunk.translate?.[way]?.[which] ?? []
        if (rules.length === 0) continue
        const at = ['trunks', name, 'translate', way, which]
        const { usable, places } = readRules(at, rules, found)
        say(at, places, lintTranslations(usable, { lint }), rules, found)
      }
    }
  }
}

/** Of one number, ms: beyond the first it is felt, beyond the second calls time out. */
const [feltMs, mostMs] = [20, 200]

function patience(at: Path, what: string, patterns: readonly string[], found: Findings): void {
  const worst = worstMilliseconds(patterns)
  if (worst <= feltMs) return
  const message = `to try ${what} on one number may take ${Math.round(worst)} ms`
  const instead = 'Write quantifiers on characters, not on groups: (\\d{3})? is slow, \\d{0,3} is not.'
  if (worst > mostMs) found.problem(at, message, instead, 'key')
  else found.warn(at, message, instead, 'key')
}

function shownPatterns(at: Path, patterns: readonly string[] | undefined, found: Findings): void {
  for (const [i, match] of (patterns ?? []).entries())
    for (const finding of lintRoute({ name: 'caller identity', match })) put([...at, i], finding, found)
}

function readRules(at: Path, rules: readonly WrittenRule[], found: Findings) {
  const usable: { name?: string; match: string; to: string }[] = []
  const places: number[] = []
  for (const [i, rule] of rules.entries()) {
    const read = readRule(rule)
    if (read.kind === 'impossible') {
      const instead = 'Write match and to, or build: { startingDigits: "1", length: exactly 11, remove: 0, add: "+" }.'
      found.problem(rule.build === undefined ? [...at, i] : [...at, i, 'build'], read.reason, instead, 'key')
      continue
    }
    places.push(i)
    usable.push({ ...(rule.name === undefined ? {} : { name: rule.name }), match: read.match, to: read.to })
  }
  return { usable, places }
}

function internalOf(rules: readonly { internal?: boolean }[], places: readonly number[], i: number): boolean {
  return rules[places[i] as number]?.internal ?? false
}

/** In which half of a rule the finding is to be mended. */
const halves = {
  unsupported: 'match',
  unanchored: 'match',
  shadowed: 'match',
  'no-such-group': 'to',
  'not-e164': 'to',
} as const

function say(
  at: Path,
  places: readonly number[],
  findings: Finding[],
  rules: readonly WrittenRule[],
  found: Findings,
): void {
  for (const finding of findings) {
    // The prefix has a shape of its own, which the schema has looked at.
    if (finding.code === 'prefix') continue
    const place = places[finding.index] as number
    const half = rules[place]?.build === undefined ? halves[finding.code] : 'build'
    put([...at, place, half], { ...finding, message: `rule ${finding.rule}: ${finding.message}` }, found)
  }
}

function put(at: Path, { severity, message, hint }: Finding, found: Findings): void {
  const instead =
    hint === undefined ? 'See the section on dial plans.' : `${hint.charAt(0).toUpperCase()}${hint.slice(1)}.`
  if (severity === 'error') found.problem(at, message, instead)
  else found.warn(at, message, instead)
}
