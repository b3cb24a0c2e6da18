/**
 * A slow, plain model of what Lync Server 2013 documents ("Dial plans and normalization rules", "Voice policies and PSTN
 * usage records", "Voice routes", "Translation rules", "Outbound call routing") and of what docs/routing.md and the
 * decisions it names add: emergency numbers first, priorities of trunks, forwarding in stages, failover targets, caller
 * identity. It knows nothing of how the product does it and shares no code with it: JavaScript's own regular
 * expressions, no tables, everything done again for each call.
 */
import type { CallIdentity, RouteQuestion } from '@tandem/contracts/routing.ts'
import type { Enterprise, Moment, Plan, User } from './enterprise.ts'
import { carriersCaller, numberOf, redirectedTo, writtenBy } from './slow-carrier.ts'
import { type Calling, fields, ownNumber, shownOf, type Way, waysOver } from './slow-identity.ts'
import {
  besideOurs,
  extensionOf,
  isNumber,
  type Normalised,
  normalise,
  oursOf,
  ownerOf,
  planOf,
  translated,
  withoutSeparators,
} from './slow-numbers.ts'
import { type Ringing, type Rung, ring, ringUnassigned, withFailover } from './slow-ringing.ts'
import { select } from './slow-selection.ts'

/** Why there is no plan, as a person would say it. */
export type Why =
  | (Rung & { kind: 'refused' })['why']
  | ('no-hops' | 'not-registered' | 'may-not-show' | 'nothing-dialled' | 'no-such-user' | 'no-number' | 'not-ours')
  | ('no-route' | 'no-usage' | 'closed' | 'not-shown' | 'back')

/** What must come out. Where weights or probes share calls out, a branch has several right `ways`. */
export type Expected =
  | { kind: 'reject'; status: number; why: Why; normalised?: string; caller: CallIdentity }
  | {
      kind: 'route'
      emergency: boolean
      emergencyTest?: true
      dialled: string
      normalised?: string
      rule?: string
      /** Of each way of the only branch. */
      usages?: string[]
      caller: CallIdentity
      callee: CallIdentity
      branches: Ringing[]
    }

/** What a call is, before anything is decided. */
type Call = {
  e: Enterprise
  q: RouteQuestion
  moment: Moment
  dialled: string
  caller: CallIdentity
  /** Whose dial plan counts, and where extensions are looked for: the caller's, or of whoever transfers the call. */
  plan: Plan | undefined
  behalf: User | undefined
}

export function expectCall(e: Enterprise, q: RouteQuestion, moment: Moment): Expected {
  const { source } = q
  const user = source.kind === 'user' ? (e.users[source.user] as User) : undefined
  const here = source.kind === 'trunk' ? undefined : source.site
  const behalf = q.onBehalfOf === undefined ? undefined : e.users[q.onBehalfOf]
  const plan = behalf === undefined ? planOf(e, user, here) : planOf(e, behalf)
  const caller =
    source.kind === 'user'
      ? identity(e, source.user, source.site)
      : source.kind === 'trunk'
        ? carriersCaller(e, source.trunk, q, {})
        : { number: q.from.number, ...(source.site === undefined ? {} : { site: source.site }) }
  const written = withoutSeparators(q.dialled.split(';')[0] ?? '')
  const dialled = q.redirectedBy === undefined ? written : redirectedTo(e, q.redirectedBy, written)
  const call: Call = { e, q, moment, dialled, caller, plan, behalf }
  const meant = emergencyNumber(call)
  if (meant !== undefined) return emergencyCall(call, meant)
  if (q.maxForwards === 0) return reject(call, 483, 'no-hops')
  if (source.kind === 'unknown') return reject(call, 403, 'not-registered')
  return source.kind === 'trunk' ? fromTrunk(call, source.trunk) : fromUser(call, source.user)
}

function reject({ caller }: Call, status: number, why: Why, normalised?: string): Expected {
  return { kind: 'reject', status, why, ...(normalised === undefined ? {} : { normalised }), caller }
}

function identity(e: Enterprise, name: string, site?: string): CallIdentity {
  const user = e.users[name] as User
  return {
    ...{ user: name, display: user.name ?? name, site: site ?? user.site },
    ...(user.did === undefined ? {} : { number: user.did }),
    ...(user.costCentre === undefined ? {} : { costCentre: user.costCentre }),
  }
}

/** Itself, with a plus in front, behind an outside-line prefix, or as a URN (RFC 5031). */
function emergencyNumber(call: Call): string | undefined {
  const { e, q, plan } = call
  const { source } = q
  if (source.kind === 'trunk' && (e.trunks[source.trunk]?.usages ?? []).length === 0) return undefined
  if (q.requestUri.startsWith('urn:service:sos')) return e.emergency.numbers[0]
  if (q.requestUri.startsWith('urn:service:test.sos')) return e.emergency.test[0]
  const known = source.kind === 'user' || (source.kind === 'unknown' && source.site !== undefined)
  const prefixes = known ? [plan?.externalPrefix] : Object.values(e.dialPlans).map((p) => p.externalPrefix)
  const all = [...e.emergency.numbers, ...e.emergency.test]
  const meant = (dialled: string) =>
    all.find((n) => dialled === n || dialled === `+${n}` || prefixes.some((p = '') => p !== '' && dialled === p + n))
  return (
    meant(call.dialled) ?? (source.kind === 'trunk' ? meant(writtenBy(e, q, call.dialled, source.trunk)) : undefined)
  )
}

/** Neither priority nor weight, hours, cost, quality or drain order a call for help: only a trunk that is down comes later. */
function emergencyCall(call: Call, meant: string): Expected {
  const { e, moment, caller } = call
  const names = Object.keys(e.trunks)
  const able = names.filter((n) => e.trunks[n]?.emergency)
  const named = [...e.emergency.trunks, ...able.filter((n) => !e.emergency.trunks.includes(n))]
  const isDown = (n: string) => moment.down.includes(n)
  const ladder = [...named.filter((n) => !isDown(n)), ...named.filter(isDown)]
  const calling: Calling = { number: callBack(call), diversions: [] }
  if (caller.display !== undefined) calling.display = caller.display
  // the next rung follows any failure; no allow-list, no privacy, no translation of the number for help
  const rung = (trunk: string, called: string) => ({
    ...{ kind: 'trunk', trunk, called, ...fields(e, trunk, calling) },
    ...{ noResponseMs: 2000, onlyTryingMs: 5000, retry: 'any failure' },
  })
  const steps: object[] = ladder.map((n) => rung(n, meant))
  const test = e.emergency.test.includes(meant)
  const { relayCentre } = e.emergency
  if (relayCentre !== undefined && !test)
    for (const n of [...ladder, ...names.filter((one) => !ladder.includes(one))])
      steps.push(rung(n, translated(e.trunks[n]?.translate.outbound.called, relayCentre)))
  for (const user of e.emergency.deskUsers) if (user !== caller.user) steps.push({ kind: 'user', user, ringMs: 60_000 })
  return {
    ...{ kind: 'route', emergency: true, ...(test ? { emergencyTest: true } : {}), dialled: call.dialled },
    ...{ caller, callee: { number: meant }, branches: [{ role: 'callee', delayMs: 0, ways: [steps] }] },
  }
}

/** The user's number for it or DID; else that of the place; else whatever else stands for the user. */
function callBack({ e, q, caller }: Call): string {
  const { source } = q
  const user = source.kind === 'user' ? e.users[source.user] : undefined
  const site = source.kind === 'trunk' ? '' : (source.site ?? user?.site ?? '')
  const numbers = [
    ...[user?.emergencyCallback, user?.did, e.emergency.elins[site]?.[0], e.sites[site]?.emergencyCallback],
    ...[user === undefined ? undefined : ownNumber(e, user)],
  ]
  return numbers.find((n) => n !== undefined) ?? (source.kind === 'trunk' ? (caller.number ?? '') : q.from.number)
}

type Destination =
  | { kind: 'user'; user: string; normalised?: Normalised }
  | { kind: 'number'; normalised: Normalised }
  | { kind: 'none'; status: number; why: Why }

/** A name; a number of somebody; an extension; else a number elsewhere. */
function destination({ e, dialled, plan, behalf }: Call, site: string): Destination {
  if (dialled === '') return { kind: 'none', status: 484, why: 'nothing-dialled' }
  if (e.users[dialled] !== undefined) return { kind: 'user', user: dialled }
  const normalised = normalise(plan, dialled)
  const user = ownerOf(e, normalised.number) ?? extensionOf(e, dialled, behalf?.site ?? site)
  if (user !== undefined) return { kind: 'user', user, normalised }
  if (isNumber(normalised.number)) return { kind: 'number', normalised }
  if (/[^0-9*#+]/.test(dialled)) return { kind: 'none', status: 404, why: 'no-such-user' }
  return { kind: 'none', status: 484, why: 'no-number' }
}

/** Of whoever passes the call on; as usages when left out. */
function usagesOnBehalf({ e, behalf }: Call): string[] | undefined {
  const policy = behalf === undefined ? undefined : e.policies[behalf.policy]
  return policy === undefined ? undefined : (policy.forward ?? policy.usages)
}

function fromUser(call: Call, name: string): Expected {
  const { e, q, moment, dialled } = call
  const user = e.users[name] as User
  // the phone's own dial plan reads what it says of itself
  const own = planOf(e, user, q.source.kind === 'user' ? q.source.site : undefined)
  const shows = shownOf(e, name, q.from.number, q.privacy === true, own)
  if (shows === 'refused') return reject(call, 403, 'may-not-show')
  const calling: Calling = { ...shows, display: user.name ?? name, diversions: [] }
  const to = destination(call, call.caller.site ?? user.site)
  if (to.kind === 'none') return reject(call, to.status, to.why)
  if (to.kind === 'user') return toUser(call, to.user, calling, to.normalised, dialled)
  const { number } = to.normalised
  const entry = oursOf(e, number)
  if (entry !== undefined)
    return put(call, ringUnassigned(e, number, entry, calling, moment), number, to.normalised.rule, dialled)
  return toNetwork(call, to.normalised, usagesOnBehalf(call) ?? e.policies[user.policy]?.usages ?? [], calling, dialled)
}

function toUser(call: Call, user: string, calling: Calling, n: Normalised | undefined, dialled: string): Expected {
  const { e, moment } = call
  const number =
    n !== undefined && ownerOf(e, n.number) === user
      ? n.number
      : (e.users[user]?.did ?? (n !== undefined && isNumber(n.number) ? n.number : undefined))
  const rung = ring(e, user, calling, moment)
  const entry = number === undefined ? undefined : oursOf(e, number)
  return put(call, withFailover(e, rung, user, number, entry, calling, moment), number, n?.rule, dialled)
}

function put(call: Call, rung: Rung, number: string | undefined, rule: string | undefined, dialled: string): Expected {
  const { e, caller } = call
  if (rung.kind === 'refused') return reject(call, rung.status, rung.why, number)
  return {
    ...{ kind: 'route', emergency: false, dialled },
    ...(number === undefined ? {} : { normalised: number }),
    ...(rule === undefined ? {} : { rule }),
    caller,
    callee: rung.user === undefined ? { ...(number === undefined ? {} : { number }) } : identity(e, rung.user),
    branches: rung.branches,
  }
}

/** `not`: the trunk that the call came on, by whose usages it goes on. */
function toNetwork(
  call: Call,
  { number, rule }: Normalised,
  usages: readonly string[],
  calling: Calling,
  dialled: string,
  not?: string,
): Expected {
  const { e, moment, caller } = call
  const selection = select(e, number, usages, moment)
  if (selection.kind !== 'chosen')
    return reject(call, selection.kind === 'no-route' ? 404 : 403, selection.kind, number)
  const onward = selection.orders.map((places) => places.filter(({ trunk }) => trunk !== not))
  if (onward[0]?.length === 0) return reject(call, 403, 'back', number)
  const ways: Way[] = waysOver(e, onward, number, calling)
  if (ways.length === 0) return reject(call, 403, 'not-shown', number)
  return {
    ...{ kind: 'route', emergency: false, dialled, normalised: number, ...(rule === undefined ? {} : { rule }) },
    ...{ usages: ways.map((way) => way.usage), caller, callee: { number } },
    branches: [{ role: 'callee', delayMs: 0, ways: ways.map((way) => way.attempts) }],
  }
}

/** The user who has the number; its failover target; else through, by the usages of the trunk, but not back into it. */
function fromTrunk(arrived: Call, name: string): Expected {
  const { e, q, moment } = arrived
  const caller = carriersCaller(e, name, q, moment.names)
  const call = { ...arrived, caller }
  const trunk = e.trunks[name]
  const calling: Calling = { number: q.privacy ? undefined : caller.number, diversions: q.diversions ?? [] }
  if (caller.display !== undefined) calling.display = caller.display
  if (call.behalf !== undefined) return onBehalf(call, calling)
  const written = writtenBy(e, q, call.dialled, name)
  const number = numberOf(e, name, written)
  if (number === undefined) return reject(call, 404, 'not-ours')
  const user = ownerOf(e, number)
  const entry = oursOf(e, number)
  if (user !== undefined) {
    const rung = withFailover(e, ring(e, user, calling, moment), user, number, entry, calling, moment)
    return put(call, rung, number, undefined, written)
  }
  if (entry !== undefined)
    return put(call, ringUnassigned(e, number, entry, calling, moment), number, undefined, written)
  const through = toNetwork(call, { number }, trunk?.usages ?? [], calling, written, name)
  return through.kind === 'reject' && besideOurs(e, number) ? reject(call, 404, 'nobody', number) : through
}

/** A carrier's call that a user transfers: it goes where that user's own call would, by the usages for forwarding. */
function onBehalf(call: Call, calling: Calling): Expected {
  const { e, moment, dialled, behalf } = call
  const to = destination(call, behalf?.site ?? '')
  if (to.kind === 'none') return reject(call, to.status, to.why)
  if (to.kind === 'user') return toUser(call, to.user, calling, withoutRule(to.normalised), dialled)
  const { number } = to.normalised
  const entry = oursOf(e, number)
  if (entry !== undefined)
    return put(call, ringUnassigned(e, number, entry, calling, moment), number, undefined, dialled)
  return toNetwork(call, { number }, usagesOnBehalf(call) ?? [], calling, dialled)
}
const withoutRule = (n: Normalised | undefined): Normalised | undefined => n && { number: n.number }
