import type { Branch, NoAnswerCause } from '@tandem/contracts/routing.ts'
import { type Calling, diversionFields, trunkAttempts } from './attempts.ts'
import type { Circumstances } from './circumstances.ts'
import { type Arriving, divert, divertedTooOften, hasDiverted } from './diversion.ts'
import { selectTrunks } from './select-trunks.ts'
import type { Authority, ForwardTarget, RoutedUser, RoutingTable } from './table.ts'

export { type Arriving, divert } from './diversion.ts'

/** How long phones ring when nothing follows on no answer, ms. */
const ringMs = 60_000
/** A chain of forwardings that is longer has gone astray. */
const mostForwardings = 8
/** The contract's bound. */
const mostBranches = 16

export type Ringing =
  | { readonly kind: 'ring'; readonly branches: Branch[]; readonly user: RoutedUser | undefined }
  | { readonly kind: 'refused'; readonly status: 403 | 404 | 482; readonly reason: string }

/**
 * The branches that ring for a user: the phones, and with them the mobile (routing.md R8: by the user's `ring` usages);
 * what follows when nobody answers; or where all of the user's calls are forwarded (by the `forward` usages).
 */
export function ringUser(called: RoutedUser, arriving: Arriving, table: RoutingTable, c: Circumstances): Ringing {
  const found = whereAlways(called, arriving, [], table, c)
  if (found.kind === 'refused') return found
  if (found.kind === 'number') return forwardOut(found.user, found.number, found.arriving, table, c)
  const plan: Plan = { branches: [], nextStage: 1 }
  ringHere(found.user, found.arriving, { stage: 0, delayMs: 0, role: 'callee' }, plan, found.seen, table, c)
  return { kind: 'ring', user: found.user, branches: plan.branches }
}

type Always =
  | {
      readonly kind: 'user'
      readonly user: RoutedUser
      readonly arriving: Arriving
      readonly seen: readonly RoutedUser[]
    }
  | { readonly kind: 'number'; readonly number: string; readonly user: RoutedUser; readonly arriving: Arriving }
  | (Ringing & { readonly kind: 'refused' })

/** Who gets the calls of a user that forwards them all. */
function whereAlways(
  called: RoutedUser,
  first: Arriving,
  before: readonly RoutedUser[],
  table: RoutingTable,
  c: Circumstances,
): Always {
  const seen = [...before]
  let user = called
  let arriving = first
  for (;;) {
    const { always } = user
    if (always === undefined) return { kind: 'user', user, arriving, seen: [...seen, user] }
    if (seen.includes(user) || seen.length >= mostForwardings) {
      const reason = `Calls to ${called.name} are forwarded in a circle (${seen.map(({ name }) => name).join(' → ')}).`
      return { kind: 'refused', status: 482, reason }
    }
    if (hasDiverted(user, arriving) || divertedTooOften(arriving)) {
      const reason = `The call has been forwarded by ${user.name} before, or too often: it goes in a circle.`
      return { kind: 'refused', status: 482, reason }
    }
    seen.push(user)
    arriving = { ...arriving, calling: divert(arriving.calling, user, 'unconditional', table) }
    if (always.kind === 'number') return { kind: 'number', number: always.number, user, arriving }
    c.note?.('destination', `user ${user.name}`, 'note', `forwards every call to ${always.user}`)
    const next = table.users.get(always.user)
    if (next === undefined) return { kind: 'refused', status: 404, reason: `${user.name} forwards to nobody.` }
    user = next
  }
}

function forwardOut(
  user: RoutedUser,
  number: string,
  arriving: Arriving,
  table: RoutingTable,
  c: Circumstances,
): Ringing {
  c.note?.('destination', `user ${user.name}`, 'note', `forwards every call to ${number}`)
  const branch = outBranch('forward', number, user.policy.forward, arriving, { delayMs: 0 }, table, c)
  if (branch !== undefined) return { kind: 'ring', user, branches: [branch] }
  const reason = `${user.name} forwards calls to ${number}, which ${user.policy.forward.owner} does not allow.`
  return { kind: 'refused', status: 403, reason }
}

/** Grows while the stages of a plan are laid out. */
type Plan = { readonly branches: Branch[]; nextStage: number }

/** Where in the plan somebody rings: a stage, and after what. */
type Where = {
  readonly stage: number
  readonly delayMs: number
  readonly role: 'callee' | 'forward'
  readonly follows?: { readonly stage: number; readonly on: NoAnswerCause[] }
}

const placed = ({ stage, delayMs, follows }: Omit<Where, 'role'>) => ({
  delayMs,
  ...(stage === 0 ? {} : { stage }),
  ...(follows === undefined ? {} : { follows }),
})

function ringHere(
  user: RoutedUser,
  arriving: Arriving,
  where: Where,
  plan: Plan,
  seen: readonly RoutedUser[],
  table: RoutingTable,
  c: Circumstances,
): void {
  const headers = diversionFields(arriving.calling.diversions)
  const phones = { kind: 'user' as const, user: user.name, ringMs, ...(headers.length === 0 ? {} : { headers }) }
  plan.branches.push({ role: where.role, ...placed(where), attempts: [phones] })
  c.note?.('destination', `user ${user.name}`, 'matched', 'all registered phones ring')
  if (user.simultaneousRing && user.mobile !== undefined && plan.branches.length < mostBranches) {
    const mobile = mobileBranch(user, user.mobile, arriving, where, table, c)
    if (mobile !== undefined) plan.branches.push(mobile)
  }
  const goesOn = follow(user, arriving, where, plan, seen, table, c)
  // where the call cannot go on the phones ring as long as those of others
  if (goesOn.includes('no-answer')) phones.ringMs = user.afterMs
}

/** RFC 5806 4: the reasons of our three ways to go on. */
const WAYS = [
  { on: 'no-answer', key: 'noAnswer', reason: 'no-answer', words: 'when nobody answers' },
  { on: 'busy', key: 'busy', reason: 'user-busy', words: 'when busy' },
  { on: 'unreachable', key: 'unreachable', reason: 'unavailable', words: 'when no phone is reached' },
] as const

/** Lays out what follows; says on which outcomes something does. */
function follow(
  user: RoutedUser,
  arriving: Arriving,
  { stage }: Where,
  plan: Plan,
  seen: readonly RoutedUser[],
  table: RoutingTable,
  c: Circumstances,
): NoAnswerCause[] {
  const goesOn: NoAnswerCause[] = []
  for (const { on, key, reason, words } of WAYS) {
    const target = user[key]
    if (target === undefined) continue
    const to = target.kind === 'user' ? target.user : target.number
    const note = (outcome: 'note' | 'skipped', detail: string) =>
      c.note?.('destination', `user ${user.name}`, outcome, `${words}: ${to}${detail}`)
    if (hasDiverted(user, arriving) || divertedTooOften(arriving) || seen.length >= mostForwardings) {
      note('skipped', ', but the call has been forwarded here before')
      continue
    }
    if (plan.branches.length >= mostBranches) {
      note('skipped', ', but the plan is full')
      break
    }
    const delayMs = on === 'no-answer' ? user.afterMs : 0
    const next: Where = { stage: plan.nextStage, delayMs, role: 'forward', follows: { stage, on: [on] } }
    const calling = divert(arriving.calling, user, reason, table)
    if (goOn(user, target, { ...arriving, calling }, next, plan, seen, table, c)) {
      note('note', '')
      goesOn.push(on)
    } else note('skipped', ', which is not possible')
  }
  return goesOn
}

function goOn(
  user: RoutedUser,
  target: ForwardTarget,
  arriving: Arriving,
  where: Where,
  plan: Plan,
  seen: readonly RoutedUser[],
  table: RoutingTable,
  c: Circumstances,
): boolean {
  const out = (number: string, owner: RoutedUser, by: Arriving) => {
    const branch = outBranch('forward', number, owner.policy.forward, by, where, table, c)
    if (branch === undefined) return false
    plan.nextStage++
    plan.branches.push(branch)
    return true
  }
  if (target.kind === 'number') return out(target.number, user, arriving)
  const called = table.users.get(target.user)
  if (called === undefined || seen.includes(called)) return false
  const found = whereAlways(called, arriving, seen, table, c)
  if (found.kind === 'refused') return false
  if (found.kind === 'number') return out(found.number, found.user, found.arriving)
  if (seen.includes(found.user)) return false
  plan.nextStage++
  ringHere(found.user, found.arriving, where, plan, found.seen, table, c)
  return true
}

function mobileBranch(
  user: RoutedUser,
  mobile: string,
  arriving: Arriving,
  where: Where,
  table: RoutingTable,
  c: Circumstances,
) {
  // R8: the mobile that calls its own user would ring itself.
  if (arriving.calling.number === mobile) {
    c.note?.('destination', `mobile of ${user.name}`, 'skipped', 'it is the one that calls')
    return undefined
  }
  if (hasDiverted(user, arriving)) {
    c.note?.('destination', `mobile of ${user.name}`, 'skipped', 'the call comes from there')
    return undefined
  }
  const calling = divert(arriving.calling, user, 'follow-me', table)
  const branch = outBranch('mobile', mobile, user.policy.ring, { ...arriving, calling }, where, table, c)
  c.note?.(
    'destination',
    `mobile of ${user.name}`,
    branch === undefined ? 'skipped' : 'matched',
    branch === undefined ? `${user.policy.ring.owner} does not allow ${mobile}` : `${mobile} rings at the same time`,
  )
  return branch
}

function outBranch(
  role: 'mobile' | 'forward',
  number: string,
  authority: Authority,
  { calling, seed }: { readonly calling: Calling; readonly seed: string },
  where: Omit<Where, 'role' | 'stage'> & { readonly stage?: number },
  table: RoutingTable,
  c: Circumstances,
): Branch | undefined {
  const selection = selectTrunks(number, authority, table, seed, c)
  if (selection.kind !== 'chosen') return undefined
  const attempts = trunkAttempts(selection.picks, number, calling, c)
  return attempts.length === 0 ? undefined : { role, ...placed({ ...where, stage: where.stage ?? 0 }), attempts }
}
