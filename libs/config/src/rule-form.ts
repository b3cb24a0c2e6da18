/** A rule as it is written, as match and to or as a form (Lync: "build a rule") → match and to. */
import { type BuiltRule, buildRule, type RuleForm } from '@tandem/numbers/dial-plan.ts'

export interface WrittenForm {
  startingDigits?: string
  length?: string
  remove?: number
  add?: string
}
export interface WrittenRule {
  name?: string
  match?: string
  to?: string
  build?: WrittenForm
}

/** `impossible` also when the rule has neither form nor match, or both. */
export function readRule({ match, to, build }: WrittenRule): BuiltRule {
  if (build === undefined) {
    if (match !== undefined && to !== undefined) return { kind: 'rule', match, to }
    return { kind: 'impossible', reason: match === undefined ? 'the rule has no match' : 'the rule has no to' }
  }
  if (match !== undefined || to !== undefined) {
    return { kind: 'impossible', reason: 'a rule is either built from a form or written with match and to' }
  }
  return buildRule({
    startingDigits: build.startingDigits ?? '',
    length: lengthOf(build.length ?? 'any'),
    remove: build.remove ?? 0,
    add: build.add ?? '',
  })
}

function lengthOf(written: string): RuleForm['length'] {
  const digits = Number(/\d+$/.exec(written)?.[0])
  if (written.startsWith('exactly')) return { kind: 'exactly', digits }
  return written.startsWith('at least') ? { kind: 'atLeast', digits } : { kind: 'any' }
}
