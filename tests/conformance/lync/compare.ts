/** A decision beside what the slow model expects of it, word for word. */
import { isDeepStrictEqual } from 'node:util'
import type { RouteDecision } from '@tandem/contracts/routing.ts'
import type { Expected, Why } from './slow-model.ts'

/** The sentence that a person reads, for each class of reasons. */
const sentences: Record<Why, RegExp> = {
  'no-hops': /passed on too many times/,
  'not-registered': /has not registered/,
  'may-not-show': /is on no allow-list/,
  'nothing-dialled': /^Nothing was dialled/,
  'no-such-user': /^There is no user/,
  'no-number': /is not a complete number/,
  'not-ours': /is no number of ours/,
  'no-route': /^No route takes/,
  'no-usage': /does not hold|has no usage for it/,
  closed: /may not be called at this time/,
  'not-shown': /^No trunk lets/,
  back: /would go back where it came from/,
  circle: /in a circle/,
  'forward-refused': /forwards calls to .* does not allow/,
  nobody: /^Nobody has \S+\.$/,
  reserved: /is reserved/,
  'failover-refused': /failover target .* may not be called/,
}

/** Pairs of equal form: of several right ways the one that was taken, if it was one of them. */
export function sideBySide(decision: RouteDecision, expected: Expected): { seen: unknown; right: unknown } {
  // as it crosses the bus
  const { revision, ...seen } = JSON.parse(JSON.stringify(decision)) as Plain
  if (expected.kind === 'reject' || decision.kind === 'reject') {
    const { why, ...right } = expected as Plain
    const said = sentences[why as Why]?.test(String(seen.reason)) ? { reason: seen.reason } : { reason: why }
    return { seen, right: plain({ ...right, ...said }) }
  }
  const { usages, branches, ...rest } = expected
  const decided = (seen.branches as Plain[]).map((branch) => ({
    ...branch,
    attempts: (branch.attempts as Plain[]).map((a) => withRetry(a, decision.emergency)),
  }))
  const taken = branches.map(({ ways }, i) => {
    const fits = (way: object[], n: number) =>
      isDeepStrictEqual(plain(way), decided[i]?.attempts) && (usages === undefined || usages[n] === decision.usage)
    return Math.max(0, ways.findIndex(fits))
  })
  const right = {
    ...rest,
    ...(usages === undefined ? {} : { usage: usages[taken[0] ?? 0] }),
    branches: branches.map(({ ways, ...branch }, i) => ({ ...branch, attempts: ways[taken[i] ?? 0] })),
  }
  return { seen: { ...seen, branches: decided }, right: plain(right) }
}

type Plain = Record<string, unknown>
const plain = (of: unknown): unknown => JSON.parse(JSON.stringify(of))

/** location.md L2: a call for help goes on after any failure, whatever it is called. */
function withRetry(attempt: Plain, emergency: boolean): Plain {
  const retry = attempt.retry as number[] | undefined
  if (!emergency || retry === undefined) return attempt
  const usual = [400, 403, 404, 408, 480, 484, 486, 488, 500, 502, 503, 504, 600, 603, 604]
  return usual.every((status) => retry.includes(status)) ? { ...attempt, retry: 'any failure' } : attempt
}
