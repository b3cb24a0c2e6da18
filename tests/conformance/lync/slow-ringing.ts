/** The slow model of who rings: phones, mobiles, forwarding in stages (ADR 62), failover targets of numbers. */
import type { Enterprise, Moment, OurNumber, Policy, User } from './enterprise.ts'
import { type Calling, type Way, waysTo } from './slow-identity.ts'
import { extensionOf, isNumber, normalise, ownerOf, planOf, withoutSeparators } from './slow-numbers.ts'

/** A branch of the plan; `ways`: every right list of attempts. */
export type Ringing = {
  role: 'callee' | 'mobile' | 'forward'
  delayMs: number
  stage?: number
  follows?: { stage: number; on: string[] }
  ways: object[][]
}
/** `user`: whose call it is then. */
export type Rung =
  | { kind: 'ring'; user?: string; branches: Ringing[] }
  | { kind: 'refused'; status: number; why: 'circle' | 'forward-refused' | 'nobody' | 'reserved' | 'failover-refused' }

type Target = { user: string } | { number: string }

/** A user's name, the own mobile, or whatever that user would dial at home. */
function targetOf(e: Enterprise, name: string, text: string | undefined): Target | undefined {
  const user = e.users[name] as User
  if (text === undefined) return undefined
  if (e.users[text] !== undefined) return { user: text }
  if (text === 'mobile') return user.mobile === undefined ? undefined : { number: user.mobile }
  const digits = withoutSeparators(text)
  const number = isNumber(digits) ? digits : normalise(planOf(e, user), digits).number
  const who = ownerOf(e, number) ?? extensionOf(e, digits, user.site)
  if (who !== undefined) return { user: who }
  return isNumber(number) ? { number } : undefined
}

const targetsOf = (e: Enterprise, name: string) => {
  const forward = e.users[name]?.forward ?? {}
  const { noAnswer } = forward
  const silent = typeof noAnswer === 'string' ? noAnswer : noAnswer?.to
  const after = (typeof noAnswer === 'string' ? undefined : noAnswer?.after) ?? forward.after ?? '20s'
  return {
    always: targetOf(e, name, forward.always),
    busy: targetOf(e, name, forward.busy),
    noAnswer: targetOf(e, name, silent),
    unreachable: targetOf(e, name, forward.unreachable ?? silent),
    afterMs: Number(after.replace('s', '')) * 1000,
  }
}

const policyOf = (e: Enterprise, name: string): Policy => e.policies[(e.users[name] as User).policy] ?? { usages: [] }
/** As usages when left out. */
const forwardUsages = (policy: Policy | undefined) => policy?.forward ?? policy?.usages ?? []

/** RFC 5806: whose call it was and why it goes on. */
export function diverted(e: Enterprise, calling: Calling, of: string, reason: string): Calling {
  const user = e.users[of]
  const secret = user !== undefined && policyOf(e, of).callerId === 'suppress' ? ';privacy=full' : ''
  const own = `<sip:${user?.did ?? of}@${e.domain}>;reason=${reason}${secret}`
  return { ...calling, diversions: [own, ...calling.diversions] }
}

/** This user has passed the call on before, or eight have. */
const goesNoFurther = (e: Enterprise, name: string, { diversions }: Calling) =>
  diversions.length >= 8 || hasPassedOn(e, name, { diversions })
function hasPassedOn(e: Enterprise, name: string, { diversions }: Pick<Calling, 'diversions'>): boolean {
  const who = diversions.map((value) => /(?:sips?|tel):([^@;>]+)/i.exec(value)?.[1])
  return who.some((one) => one === name || (one !== undefined && one === e.users[name]?.did))
}

type Found = { user: string; calling: Calling; seen: string[] } | { number: string; by: string; calling: Calling }
/** Whose phones ring in the end; undefined: it goes in a circle. */
function whereAlways(e: Enterprise, name: string, calling: Calling, seen: string[]): Found | undefined {
  const { always } = targetsOf(e, name)
  if (always === undefined) return { user: name, calling, seen: [...seen, name] }
  if (seen.includes(name) || seen.length >= 8 || goesNoFurther(e, name, calling)) return undefined
  const onward = diverted(e, calling, name, 'unconditional')
  if ('number' in always) return { number: always.number, by: name, calling: onward }
  return whereAlways(e, always.user, onward, [...seen, name])
}

export function ring(e: Enterprise, called: string, calling: Calling, moment: Moment): Rung {
  const found = whereAlways(e, called, calling, [])
  if (found === undefined) return { kind: 'refused', status: 482, why: 'circle' }
  if ('number' in found) {
    const ways = waysTo(e, found.number, forwardUsages(policyOf(e, found.by)), found.calling, moment)
    if (ways.length === 0) return { kind: 'refused', status: 403, why: 'forward-refused' }
    return { kind: 'ring', user: found.by, branches: [{ role: 'forward', delayMs: 0, ways: attemptsOf(ways) }] }
  }
  const plan: Laid = { branches: [], nextStage: 1 }
  ringPhones(e, found.user, found.calling, { stage: 0, delayMs: 0, role: 'callee' }, found.seen, plan, moment)
  return { kind: 'ring', user: found.user, branches: plan.branches }
}

const attemptsOf = (ways: Way[]): object[][] => ways.map((way) => way.attempts)

type Laid = { branches: Ringing[]; nextStage: number }
type Where = { stage: number; delayMs: number; role: 'callee' | 'forward'; follows?: { stage: number; on: string[] } }
const mostBranches = 16

const placed = ({ stage, delayMs, follows }: Omit<Where, 'role'>) => ({
  delayMs,
  ...(stage === 0 ? {} : { stage }),
  ...(follows === undefined ? {} : { follows }),
})

/** The phones; with them the mobile, by the usages for simultaneous ring; then what follows, stage by stage. */
function ringPhones(
  e: Enterprise,
  name: string,
  calling: Calling,
  where: Where,
  seen: string[],
  plan: Laid,
  moment: Moment,
): void {
  const user = e.users[name] as User
  const headers = calling.diversions.map((value) => ['Diversion', value])
  const phones = { kind: 'user', user: name, ringMs: 60_000, ...(headers.length === 0 ? {} : { headers }) }
  plan.branches.push({ role: where.role, ...placed(where), ways: [[phones]] })
  const { mobile } = user
  const itself = mobile === calling.number || hasPassedOn(e, name, calling)
  if (user.simultaneousRing && mobile !== undefined && !itself && plan.branches.length < mostBranches) {
    const policy = policyOf(e, name)
    const ways = waysTo(e, mobile, policy.ring ?? policy.usages, diverted(e, calling, name, 'follow-me'), moment)
    if (ways.length > 0) plan.branches.push({ role: 'mobile', ...placed(where), ways: attemptsOf(ways) })
  }
  const { noAnswer, busy, unreachable, afterMs } = targetsOf(e, name)
  const next = (on: string, target: Target | undefined, reason: string): boolean => {
    if (target === undefined || goesNoFurther(e, name, calling) || seen.length >= 8) return false
    if (plan.branches.length >= mostBranches) return false
    const delayMs = on === 'no-answer' ? afterMs : 0
    const then: Where = {
      stage: plan.nextStage,
      delayMs,
      role: 'forward',
      follows: { stage: where.stage, on: [on] },
    }
    return goOn(e, name, target, diverted(e, calling, name, reason), then, seen, plan, moment)
  }
  // phones ring no longer than until the call goes on; for a minute when nobody takes it then
  if (next('no-answer', noAnswer, 'no-answer')) phones.ringMs = afterMs
  next('busy', busy, 'user-busy')
  next('unreachable', unreachable, 'unavailable')
}

/** Adds the stage, if the call can go there. */
function goOn(
  e: Enterprise,
  owner: string,
  target: Target,
  calling: Calling,
  where: Where,
  seen: string[],
  plan: Laid,
  moment: Moment,
): boolean {
  const found =
    'number' in target
      ? { number: target.number, by: owner, calling }
      : seen.includes(target.user)
        ? undefined
        : whereAlways(e, target.user, calling, seen)
  if (found === undefined) return false
  if ('number' in found) {
    const ways = waysTo(e, found.number, forwardUsages(policyOf(e, found.by)), found.calling, moment)
    if (ways.length === 0) return false
    plan.nextStage++
    plan.branches.push({ role: 'forward', ...placed(where), ways: attemptsOf(ways) })
    return true
  }
  if (seen.includes(found.user)) return false
  plan.nextStage++
  ringPhones(e, found.user, found.calling, where, found.seen, plan, moment)
  return true
}

/** A number of ours that nobody has: reserved, or its failover target's, by the usages of the policy said with it. */
export function ringUnassigned(
  e: Enterprise,
  number: string,
  entry: OurNumber,
  calling: Calling,
  moment: Moment,
): Rung {
  if (entry.reserved) return { kind: 'refused', status: 404, why: 'reserved' }
  const { failover } = entry
  if (failover === undefined) return { kind: 'refused', status: 404, why: 'nobody' }
  const onward = diverted(e, calling, number, 'unavailable')
  if (e.users[failover] !== undefined) return ring(e, failover, onward, moment)
  const ways = waysTo(e, failover, forwardUsages(e.policies[entry.policy ?? '']), onward, moment)
  if (ways.length === 0) return { kind: 'refused', status: 404, why: 'failover-refused' }
  return { kind: 'ring', branches: [{ role: 'forward', delayMs: 0, ways: attemptsOf(ways) }] }
}

/**
 * The failover target of a number that somebody has comes after the phones, for when none of them is registered; the
 * user's own word for that goes before it.
 */
export function withFailover(
  e: Enterprise,
  rung: Rung,
  called: string,
  number: string | undefined,
  entry: OurNumber | undefined,
  calling: Calling,
  moment: Moment,
): Rung {
  const target = entry?.failover
  if (rung.kind !== 'ring' || rung.user !== called || rung.branches[0]?.role !== 'callee') return rung
  if (number === undefined || target === undefined || target === called) return rung
  if (targetsOf(e, called).unreachable !== undefined) return rung
  const onward = diverted(e, calling, number, 'unavailable')
  const headers = onward.diversions.map((value) => ['Diversion', value])
  const more =
    e.users[target] === undefined
      ? attemptsOf(waysTo(e, target, forwardUsages(policyOf(e, called)), onward, moment))
      : [[{ kind: 'user', user: target, ringMs: 60_000, headers }]]
  const [phones, ...others] = rung.branches as [Ringing, ...Ringing[]]
  if (more.length === 0) return rung
  const ways = phones.ways.flatMap((first) => more.map((then) => [...first, ...then]))
  return { ...rung, branches: [{ ...phones, ways }, ...others] }
}
