import { type RuleStarts, rulesByStart } from './rule-starts.ts'
import { applyRule, type CompiledRule, compileRules, type WrittenRule } from './translate.ts'

export type WrittenDialRule = WrittenRule & { readonly internal?: boolean | undefined }
export type WrittenDialPlan = {
  readonly name: string
  /** Digits for an outside line, at most four of `#*0-9`; '' for none. */
  readonly externalPrefix: string
  readonly rules: readonly WrittenDialRule[]
}

export type DialPlan = {
  readonly name: string
  readonly externalPrefix: string
  readonly internal: readonly CompiledRule[]
  readonly external: readonly CompiledRule[]
  readonly starts: { readonly internal: RuleStarts; readonly external: RuleStarts }
}

/** `internal`: on the digits as dialled. `outside`: after the external prefix. `plain`: the other rules, as dialled. */
export type Pass = 'internal' | 'outside' | 'plain'
export type Normalised =
  | { readonly kind: 'matched'; readonly number: string; readonly rule: string; readonly pass: Pass }
  /** No rule took it: the number is left alone. */
  | { readonly kind: 'unmatched'; readonly number: string }

/** Hears of every rule tried, in order; `result` is undefined when the rule did not match `digits`. */
export type Trace = (pass: Pass, rule: CompiledRule, digits: string, result: string | undefined) => void

const noRules = rulesByStart([])
export const noDialPlan: DialPlan = {
  ...{ name: '', externalPrefix: '', internal: [], external: [] },
  starts: { internal: noRules, external: noRules },
}

export function compileDialPlan(plan: WrittenDialPlan): DialPlan {
  const internal = compileRules(plan.rules.filter((rule) => rule.internal))
  const external = compileRules(plan.rules.filter((rule) => !rule.internal))
  return {
    name: plan.name,
    externalPrefix: plan.externalPrefix,
    internal,
    external,
    starts: { internal: rulesByStart(internal), external: rulesByStart(external) },
  }
}

/**
 * Lync Server 2013 "dial plans and normalization rules": rules are walked from the top, the first match wins.
 * Emergency numbers are not its business: `readEmergency` comes before.
 */
export function normalise(plan: DialPlan, digits: string, trace?: Trace): Normalised {
  // who listens hears of every rule; else those that cannot match are not tried
  const inside = walk('internal', trace ? plan.internal : plan.starts.internal.of(digits), digits, trace)
  if (inside !== undefined) return inside
  const prefix = plan.externalPrefix
  if (prefix !== '' && digits.length > prefix.length && digits.startsWith(prefix)) {
    const rest = digits.slice(prefix.length)
    const outside = walk('outside', trace ? plan.external : plan.starts.external.of(rest), rest, trace)
    if (outside !== undefined) return outside
  }
  return (
    walk('plain', trace ? plan.external : plan.starts.external.of(digits), digits, trace) ?? {
      kind: 'unmatched',
      number: digits,
    }
  )
}

function walk(pass: Pass, rules: readonly CompiledRule[], digits: string, trace: Trace | undefined) {
  for (const rule of rules) {
    const number = applyRule(rule, digits)
    trace?.(pass, rule, digits, number)
    if (number !== undefined) return { kind: 'matched', number, rule: rule.name, pass } as const
  }
  return undefined
}

/**
 * "+44 (0)20 …" has the trunk prefix of the country in it, for those who call from within; ITU-T E.123 7.2 advises against
 * it, and letter heads are full of it.
 */
export function withoutTrunkPrefix(text: string): string {
  return text.replace(/^(\s*(?:\+|00|011)[ \-.\d]*)\(0\)/, '$1')
}

/** Visual separators go (RFC 3966 5.1.1), where the text is a dial string and not a name. */
export function readDialled(text: string): string {
  if (!/[ \-.()]/.test(text) || !/^\+?[0-9*# \-.()]*$/.test(text)) return text
  return withoutTrunkPrefix(text).replace(/[ \-.()]/g, '')
}

/**
 * The emergency number meant by what was dialled: itself, after the outside-line prefix, or with a "+" in front as
 * some clients normalise it. Asked before any rule (47 CFR 9.16: direct dialling, without a prefix).
 */
export function readEmergency(
  digits: string,
  numbers: ReadonlySet<string>,
  prefixes: readonly string[],
): string | undefined {
  if (numbers.has(digits)) return digits
  if (digits.startsWith('+') && numbers.has(digits.slice(1))) return digits.slice(1)
  for (const prefix of prefixes) {
    if (prefix === '' || !digits.startsWith(prefix)) continue
    const rest = digits.slice(prefix.length)
    if (numbers.has(rest)) return rest
  }
  return undefined
}

/** The form in which Lync's control panel asks for a rule. */
export type RuleForm = {
  /** What the number begins with; may begin with "+". */
  readonly startingDigits: string
  /** Length of the whole number, the "+" counted. */
  readonly length: { readonly kind: 'exactly' | 'atLeast'; readonly digits: number } | { readonly kind: 'any' }
  readonly remove: number
  readonly add: string
}
export type BuiltRule =
  | { readonly kind: 'rule'; readonly match: string; readonly to: string }
  | { readonly kind: 'impossible'; readonly reason: string }

/** The expression for a filled-in form: `+1`, exactly 12, remove 1 → `^\+(1\d{10})$` → `$1`. */
export function buildRule(form: RuleForm): BuiltRule {
  const { startingDigits: start, remove, add } = form
  if (!/^\+?[0-9*#]*$/.test(start))
    return impossible('starting digits are digits, * and #, with a + in front if need be')
  if (!/^\+?[0-9*#]*$/.test(add)) return impossible('digits to add are digits, * and #, with a + in front if need be')
  if (form.length.kind !== 'any' && form.length.digits < Math.max(start.length, remove)) {
    return impossible('the length is shorter than the starting digits, or than what is removed')
  }
  const gone = Math.max(0, remove - start.length)
  const left = form.length.kind === 'any' ? 0 : form.length.digits - start.length - gone
  const cut = (from: number, to?: number) => start.slice(from, to).replace(/[+*]/g, '\\$&')
  const before = cut(0, remove) + (gone > 0 ? times(gone) : '')
  return { kind: 'rule', match: `^${before}(${cut(remove)}${tail(form.length.kind, left)})$`, to: `${add}$1` }
}

const impossible = (reason: string): BuiltRule => ({ kind: 'impossible', reason })
const times = (n: number): string => (n === 0 ? '' : n === 1 ? '\\d' : `\\d{${n}}`)
function tail(kind: RuleForm['length']['kind'], digits: number): string {
  if (kind === 'exactly') return times(digits)
  return kind === 'any' || digits === 0 ? '\\d*' : `${times(digits - 1)}\\d+`
}
