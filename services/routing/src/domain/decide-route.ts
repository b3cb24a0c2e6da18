import type { CallIdentity, RouteDecision, RouteQuestion, RouteReject } from '@tandem/contracts/routing.ts'
import {
  type DialPlan,
  type Normalised,
  noDialPlan,
  normalise,
  readDialled,
  readEmergency,
} from '@tandem/numbers/dial-plan.ts'
import { isE164 } from '@tandem/numbers/e164.ts'
import { type Calling, identityOf, trunkAttempts } from './attempts.ts'
import { callerIdentity } from './caller-identity.ts'
import { brief, type Circumstances } from './circumstances.ts'
import { emergencyPlan } from './emergency-plan.ts'
import { numberOf, routeFromTrunk } from './from-trunk.ts'
import { ringUnassigned, withFailover } from './ring-failover.ts'
import { type Ringing, ringUser } from './ring-user.ts'
import { selectTrunks } from './select-trunks.ts'
import type { Authority, RoutedSite, RoutedUser, RoutingTable } from './table.ts'

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
  if (question.maxForwards === 0) return reject(call, table, 483, 'The call has been passed on too many times.')
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

/** Scopes of R1: the user's own dial plan, else that of the pool, of the site where the call comes from, the home site's, the global. */
function scopeOf(user: RoutedUser | undefined, here: RoutedSite | undefined, table: RoutingTable) {
  const home = user === undefined ? undefined : table.sites.get(user.site)
  if (user?.dialPlan !== undefined) return { dialPlan: user.dialPlan, scope: user.dialPlanFrom }
  if (here?.dialPlan !== undefined) return { dialPlan: here.dialPlan, scope: `of site ${here.name}` }
  if (home?.dialPlan !== undefined) return { dialPlan: home.dialPlan, scope: `of home site ${home.name}` }
  if (table.dialPlan !== undefined) return { dialPlan: table.dialPlan, scope: 'the global one' }
  return { dialPlan: noDialPlan, scope: 'there is none' }
}

function readCall(question: RouteQuestion, table: RoutingTable): Call {
  const { source } = question
  const written = readDialled(question.dialled.split(';', 1)[0] as string)
  const redirecting = question.redirectedBy === undefined ? undefined : table.trunks.get(question.redirectedBy)
  const dialled =
    redirecting === undefined ? written : (numberOf(written, redirecting, table, { note: undefined }) ?? written)
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
  const number = urnOf(question.requestUri, table) ?? readEmergency(dialled, table.emergency.all, prefixes)
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
  // R6: where the caller is reached again; never withheld, never held up by an allow-list.
  const back = user?.callback ?? place?.elin ?? place?.callback ?? user?.shows ?? question.from.number
  return emergencyPlan(number, brief(dialled), call.caller, back, table, c)
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
  const { question, dialPlan } = call
  const identity = callerIdentity(user, question.from.number, question.privacy === true, dialPlan, table.dids, c)
  if (identity.kind === 'refused') return reject(call, table, 403, identity.reason)
  return routeFromUser({ ...call, user, shows: identity.number }, table, c)
}

function routeFromUser(call: UserCall, table: RoutingTable, c: Circumstances): RouteDecision {
  const { dialled, user, question } = call
  if (dialled === '') return reject(call, table, 484, 'Nothing was dialled.')
  const named = table.users.get(dialled)
  if (named !== undefined) return ring(named, call, undefined, table, c)
  const normalised = normaliseFor(call, c)
  const callee = table.dids.get(normalised.number) ?? extensionOf(dialled, call, table)
  if (callee !== undefined) return ring(callee, call, normalised, table, c)
  const ours = isE164(normalised.number) ? table.inventory.find(normalised.number) : undefined
  if (ours !== undefined) {
    const arriving = { calling: callingOf(call), seed: question.callId }
    return put(ringUnassigned(normalised.number, ours, arriving, table, c), call, normalised, normalised.number, table)
  }
  c.note?.('destination', brief(normalised.number), 'no-match', 'is no number, extension or name of ours')
  if (!isE164(normalised.number)) return notANumber(call, normalised, table)
  return toPstn(call, normalised, behalfOf(question, table)?.policy.forward ?? user.policy.usages, table, c)
}

function normaliseFor({ dialled, dialPlan, scope }: Call, { note }: Circumstances): Normalised {
  if (note === undefined) return normalise(dialPlan, dialled)
  const prefix = dialPlan.externalPrefix === '' ? '' : `, outside line ${dialPlan.externalPrefix}`
  note('normalisation', `dial plan ${dialPlan.name}`, 'note', `${scope}${prefix}`)
  const normalised = normalise(dialPlan, dialled, (pass, rule, digits, result) => {
    const detail =
      result === undefined
        ? `${rule.pattern.source} does not match ${brief(digits)}`
        : `${rule.pattern.source} makes ${brief(result)} of ${brief(digits)}`
    note('normalisation', `${passes[pass]}: rule ${rule.name}`, result === undefined ? 'no-match' : 'matched', detail)
  })
  if (normalised.kind === 'unmatched')
    note('normalisation', `dial plan ${dialPlan.name}`, 'note', `${brief(dialled)} is left alone`)
  return normalised
}

const passes = { internal: 'internal rules', outside: 'after the outside-line prefix', plain: 'as dialled' } as const

function extensionOf(dialled: string, call: UserCall, table: RoutingTable): RoutedUser | undefined {
  const { user, caller, question } = call
  const site = behalfOf(question, table)?.site ?? caller.site ?? user.site
  return table.extensions.get(`${site} ${dialled}`) ?? table.soleExtensions.get(dialled)
}

/** R2: not a number after normalisation is 484; a name that nobody has is 404. */
function notANumber(call: UserCall, { number }: Normalised, table: RoutingTable): RouteReject {
  const { dialled, dialPlan } = call
  if (/[^0-9*#+]/.test(dialled)) return reject(call, table, 404, `There is no user ${brief(dialled)} here.`)
  const plan = dialPlan.name === '' ? 'there is no dial plan that could' : `dial plan ${dialPlan.name} does not`
  const made = number === dialled ? '' : ` (${brief(number)})`
  return reject(
    call,
    table,
    484,
    `${brief(dialled)} is not a complete number: ${plan} make an E.164 number of it${made}.`,
  )
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
        usage: (selection.picks[0] as (typeof selection.picks)[number]).usage,
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

function ring(
  callee: RoutedUser,
  call: UserCall,
  normalised: Normalised | undefined,
  table: RoutingTable,
  c: Circumstances,
): RouteDecision {
  c.note?.(
    'destination',
    `user ${callee.name}`,
    'matched',
    normalised === undefined ? 'by name' : `by ${brief(normalised.number)}`,
  )
  const arriving = { calling: callingOf(call), seed: call.question.callId }
  const ringing = ringUser(callee, arriving, table, c)
  const number = callee.did ?? (isE164(normalised?.number ?? '') ? normalised?.number : undefined)
  const entry = number === undefined ? undefined : table.inventory.find(number)
  if (ringing.kind === 'ring' && ringing.user === callee && number !== undefined)
    withFailover(ringing.branches, callee, number, entry, arriving, table, c)
  return put(ringing, call, normalised, number, table)
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
