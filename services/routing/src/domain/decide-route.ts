import type { CallIdentity, RouteDecision, RouteQuestion, RouteReject } from '@tandem/contracts/routing.ts'
import { type DialPlan, type Normalised, readDialled, readEmergency } from '@tandem/numbers/dial-plan.ts'
import { type Calling, identityOf, trunkAttempts, usageOf } from './attempts.ts'
import { callerIdentity } from './caller-identity.ts'
import { brief, type Circumstances } from './circumstances.ts'
import { destinationOf, scopeOf } from './destination.ts'
import { emergencyPlan } from './emergency-plan.ts'
import { calledOn, readCaller, redirectedTo, routeFromTrunk } from './from-trunk.ts'
import { ringUnassigned, withFailover } from './ring-failover.ts'
import { type Ringing, ringUser } from './ring-user.ts'
import { selectTrunks } from './select-trunks.ts'
import type { Authority, RoutedUser, RoutingTable } from './table.ts'

const noneDown: ReadonlySet<string> = new Set()
const nonePoor: Circumstances['poor'] = new Map()

/**
 * The whole plan of a call, or why there is none. Total: every question has an answer, none throws.
 *
 * `now`: epoch ms, for routes with time windows. `down`: trunks to be tried last; `poor`: before those, after
 * the others.
 */
export function decideRoute(
  question: RouteQuestion,
  table: RoutingTable,
  now: number,
  options: Partial<Pick<Circumstances, 'down' | 'poor' | 'note' | 'placed' | 'facts'>> = {},
): RouteDecision {
  const circumstances: Circumstances = {
    now,
    down: options.down ?? noneDown,
    poor: options.poor ?? nonePoor,
    note: options.note,
    placed: options.placed,
    facts: options.facts,
  }
  const call = readCall(question, table)
  // First: no later rule may swallow a 911 call (routing.md R7).
  const emergency = readEmergencyCall(call, table, circumstances)
  if (emergency !== undefined) return emergency
  // RFC 3261 8.1.1.6 and 16.3: a request that has no hops left goes nowhere.
  if (question.maxForwards === 0) {
    const caller = callerOf(call, table, circumstances)
    return reject({ ...call, caller }, table, 483, 'The call has been passed on too many times.')
  }
  const { source } = question
  switch (source.kind) {
    case 'unknown':
      return reject(call, table, 403, 'This device has not registered: it can make emergency calls only.')
    case 'trunk': {
      const trunk = table.trunks.get(source.trunk)
      if (trunk === undefined) return reject(call, table, 403, `There is no trunk ${brief(source.trunk)}.`)
      return routeFromTrunk(question, call.dialled, trunk, table, circumstances)
    }
    case 'user':
      if (call.user === undefined) return reject(call, table, 403, `There is no user ${brief(source.user)}.`)
      return fromUser(call, call.user, table, circumstances)
  }
}

/** The question with what the table knows about it. */
type Call = {
  readonly question: RouteQuestion
  readonly dialled: string
  readonly user: RoutedUser | undefined
  readonly caller: CallIdentity
  readonly dialPlan: DialPlan
  /** Why it is this dial plan. */
  readonly scope: string
}

function readCall(question: RouteQuestion, table: RoutingTable): Call {
  const { source } = question
  const written = readDialled(question.dialled.split(';', 1)[0] as string)
  const redirecting = question.redirectedBy === undefined ? undefined : table.trunks.get(question.redirectedBy)
  const dialled = redirecting === undefined ? written : (redirectedTo(written, redirecting, table) ?? written)
  const user = source.kind === 'user' ? table.users.get(source.user) : undefined
  const here = source.kind === 'trunk' || source.site === undefined ? undefined : table.sites.get(source.site)
  const caller: CallIdentity =
    user === undefined
      ? { number: question.from.number, ...(here === undefined ? {} : { site: here.name }) }
      : identityOf(user, here?.name)
  // a number that somebody transfers to is read as that user would dial it
  const behalf = behalfOf(question, table)
  const scope = behalf === undefined ? scopeOf(user, here, table) : scopeOf(behalf, undefined, table)
  return { question, dialled, user, caller, ...scope }
}

/** Who forwards or transfers the call. */
function behalfOf({ onBehalfOf }: RouteQuestion, table: RoutingTable): RoutedUser | undefined {
  return onBehalfOf === undefined ? undefined : table.users.get(onBehalfOf)
}

function readEmergencyCall(call: Call, table: RoutingTable, c: Circumstances): RouteDecision | undefined {
  const { question, dialled, user, dialPlan } = call
  const { source } = question
  // From any user or device; a carrier's call is none of ours unless calls from its trunk may go out again.
  if (source.kind === 'trunk' && (table.trunks.get(source.trunk)?.transit.usages.length ?? 0) === 0) {
    c.note?.('emergency', 'emergency numbers', 'skipped', 'calls from the telephone network are none of ours')
    return undefined
  }
  const known = user !== undefined || (source.kind === 'unknown' && source.site !== undefined)
  const prefixes = known ? [dialPlan.externalPrefix] : table.emergency.prefixes
  const trunk = source.kind === 'trunk' ? table.trunks.get(source.trunk) : undefined
  // what a PBX behind a trunk dials counts as it stands, and as the trunk's translation mends it
  const mended = trunk === undefined ? dialled : calledOn(trunk, question, dialled, { note: undefined })
  const meant = (digits: string) => readEmergency(digits, table.emergency.all, prefixes)
  const number = urnOf(question.requestUri, table) ?? meant(dialled) ?? (mended === dialled ? undefined : meant(mended))
  if (number === undefined) {
    c.note?.(
      'emergency',
      'emergency numbers',
      'no-match',
      `${brief(dialled)} is none of ${[...table.emergency.all].join(', ')}`,
    )
    return undefined
  }
  c.note?.('emergency', number, 'matched', 'is tried before dial plan and policy')
  const site = source.kind === 'trunk' ? undefined : (source.site ?? user?.site)
  const place = site === undefined ? undefined : table.sites.get(site)
  const caller = callerOf(call, table, c)
  const said = trunk === undefined ? question.from.number : (caller.number ?? '')
  // R6: where the caller is reached again; never withheld, never held up by an allow-list.
  const back = user?.callback ?? place?.elin ?? place?.callback ?? user?.shows ?? said
  return emergencyPlan(number, brief(dialled), caller, back, table, c)
}

/** Who calls on a trunk is who it asserts, mended by its translation. A name that it leaves out is not looked up (ADR 81). */
function callerOf({ question, caller }: Call, table: RoutingTable, { note }: Circumstances): CallIdentity {
  const { source } = question
  const trunk = source.kind === 'trunk' ? table.trunks.get(source.trunk) : undefined
  return trunk === undefined ? caller : readCaller(question, trunk, { facts: undefined, note })
}

/** RFC 5031 4.2: urn:service:sos and what is below it; test.sos is RFC 6881's test call. */
function urnOf(requestUri: string, table: RoutingTable): string | undefined {
  const urn = /^urn:service:(test\.)?sos(?:\.|$)/i.exec(requestUri)
  if (urn === null) return undefined
  const [number] = urn[1] === undefined ? table.emergency.numbers : table.emergency.test
  return number
}

/** `shows`: what the PSTN is told (`callerIdentity`). */
type UserCall = Call & { readonly user: RoutedUser; readonly shows: string | undefined }

function fromUser(call: Call, user: RoutedUser, table: RoutingTable, c: Circumstances): RouteDecision {
  const { question, caller } = call
  // what the phone says of itself is read by its own dial plan, also when somebody else transfers the call
  const { dialPlan } = scopeOf(user, table.sites.get(caller.site ?? user.site), table)
  const identity = callerIdentity(user, question.from.number, question.privacy === true, dialPlan, table.dids, c)
  if (identity.kind === 'refused') return reject(call, table, 403, identity.reason)
  return routeFromUser({ ...call, user, shows: identity.number }, table, c)
}

function routeFromUser(call: UserCall, table: RoutingTable, c: Circumstances): RouteDecision {
  const { question, caller, user } = call
  const behalf = behalfOf(question, table)
  const site = behalf?.site ?? caller.site ?? user.site
  const arriving = { calling: callingOf(call), seed: question.callId }
  const to = destinationOf({ ...call, site }, table, c)
  switch (to.kind) {
    case 'none':
      return reject(call, table, to.status, to.reason)
    case 'user': {
      const ringing = withFailover(ringUser(to.user, arriving, table, c), to.user, to.number, arriving, table, c)
      return put(ringing, call, to.normalised, to.number, table)
    }
    case 'unassigned': {
      const { number } = to.normalised
      return put(ringUnassigned(number, to.entry, arriving, table, c), call, to.normalised, number, table)
    }
    case 'elsewhere':
      return toPstn(call, to.normalised, behalf?.policy.forward ?? user.policy.usages, table, c)
  }
}

function toPstn(
  call: UserCall,
  normalised: Normalised,
  authority: Authority,
  table: RoutingTable,
  c: Circumstances,
): RouteDecision {
  const { number } = normalised
  const selection = selectTrunks(number, authority, table, call.question.callId, c)
  switch (selection.kind) {
    case 'no-route':
      return reject(call, table, 404, `No route takes ${number}.`, number)
    case 'closed':
      return reject(
        call,
        table,
        403,
        `${number} may not be called at this time (route ${selection.route.name}).`,
        number,
      )
    case 'not-allowed': {
      const { name, usages } = selection.route
      const reason = `${call.user.name} may not call ${number}: route ${name} is for ${usages.join(', ')}, which ${authority.owner} does not hold.`
      return reject(call, table, 403, reason.slice(0, 1000), number)
    }
    case 'chosen': {
      const attempts = trunkAttempts(selection.picks, number, callingOf(call), c)
      if (attempts.length === 0) {
        const reason = `No trunk lets ${call.shows ?? 'this number'} be shown as the caller.`
        return reject(call, table, 403, reason, number)
      }
      return {
        kind: 'route',
        revision: table.revision,
        emergency: false,
        dialled: brief(call.dialled),
        normalised: number,
        ...(normalised.kind === 'matched' ? { rule: normalised.rule } : {}),
        ...usageOf(selection.picks, attempts),
        caller: call.caller,
        callee: { number },
        branches: [{ role: 'callee', delayMs: 0, attempts }],
      }
    }
  }
}

/** Who the PSTN is told is calling: nobody, when the user or the policy wants it so (RFC 3323). */
function callingOf({ user, shows }: UserCall): Calling {
  return { number: shows, display: user.display }
}

function put(
  ringing: Ringing,
  call: Call,
  normalised: Normalised | undefined,
  number: string | undefined,
  table: RoutingTable,
): RouteDecision {
  if (ringing.kind === 'refused') return reject(call, table, ringing.status, ringing.reason, number)
  return {
    kind: 'route',
    revision: table.revision,
    emergency: false,
    dialled: brief(call.dialled),
    ...(number === undefined ? {} : { normalised: number }),
    ...(normalised?.kind === 'matched' ? { rule: normalised.rule } : {}),
    caller: call.caller,
    callee: ringing.user === undefined ? { ...(number === undefined ? {} : { number }) } : identityOf(ringing.user),
    branches: ringing.branches,
  }
}

function reject(call: Call, table: RoutingTable, status: number, reason: string, normalised?: string): RouteReject {
  return {
    kind: 'reject',
    revision: table.revision,
    status,
    reason,
    ...(normalised === undefined ? {} : { normalised }),
    caller: call.caller,
  }
}
