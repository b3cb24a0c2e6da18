import type { CallIdentity, RouteDecision, RouteQuestion } from '@tandem/contracts/routing.ts'
import { normalise, readDialled } from '@tandem/numbers/dial-plan.ts'
import { isE164, toE164 } from '@tandem/numbers/e164.ts'
import { translate } from '@tandem/numbers/translate.ts'
import { type Calling, identityOf, trunkAttempts, usageOf } from './attempts.ts'
import { brief, type Circumstances } from './circumstances.ts'
import { blockOf } from './compile-users.ts'
import { destinationOf, scopeOf } from './destination.ts'
import type { OurNumber } from './inventory.ts'
import { ringUnassigned, withFailover } from './ring-failover.ts'
import { type Ringing, ringUser } from './ring-user.ts'
import { selectTrunks } from './select-trunks.ts'
import type { RoutedTrunk, RoutedUser, RoutingTable } from './table.ts'

/** A call from the PSTN: to the user who has the number (routing.md R5), or, where allowed, through to another trunk. */
export function routeFromTrunk(
  question: RouteQuestion,
  dialled: string,
  trunk: RoutedTrunk,
  table: RoutingTable,
  c: Circumstances,
): RouteDecision {
  const caller = readCaller(question, trunk, c)
  const written = calledOn(trunk, question, dialled, c)
  const number = inContext(written, question, trunk, table, c) ?? numberOf(written, trunk, table, c)
  const arriving: Arrival = { question, trunk, caller, dialled: brief(written), number }
  const user = number === undefined ? undefined : table.dids.get(number)
  if (question.onBehalfOf !== undefined) return passOn(arriving, table.users.get(question.onBehalfOf), table, c)
  if (user !== undefined) {
    c.note?.('destination', `user ${user.name}`, 'matched', `has ${number}`)
    return toUser(arriving, user, table, c)
  }
  const ours = number === undefined ? undefined : table.inventory.find(number)
  if (number !== undefined && ours !== undefined) return toUnassigned(arriving, number, ours, table, c)
  c.note?.('destination', brief(number ?? written), 'no-match', 'is no DID of ours')
  return passThrough(arriving, table, c)
}

type Arrival = {
  readonly question: RouteQuestion
  readonly trunk: RoutedTrunk
  readonly caller: CallIdentity
  readonly dialled: string
  readonly number: string | undefined
}

/** R5: the number stands where this carrier puts it; where a call was redirected to stands in none of its headers. */
export function calledOn(
  trunk: RoutedTrunk,
  question: RouteQuestion,
  dialled: string,
  { note }: Pick<Circumstances, 'note'>,
): string {
  if (question.redirectedBy !== undefined) return dialled
  const uri =
    trunk.did === 'to' ? question.toUri : trunk.did === 'p-called-party-id' ? question.calledPartyId : undefined
  const written = userOf(uri) ?? dialled
  const { number, rule } = translate(trunk.inbound.called, written)
  if (rule !== undefined)
    note?.(
      'translation',
      `trunk ${trunk.name}, called in`,
      'matched',
      `rule ${rule}: ${brief(written)} is read as ${brief(number)}`,
    )
  return number
}

/** User part of a sip, sips or tel URI, without parameters. */
function userOf(uri: string | undefined): string | undefined {
  const user = /^(?:sips?:([^@;?]+)[^@]*@|tel:([^;]+))/i.exec(uri ?? '')
  const text = user?.[1] ?? user?.[2]
  return text === undefined ? undefined : readDialled(unescaped(text))
}

/** RFC 3261 19.1.4: an escaped character is the same as the character. */
function unescaped(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
}

/**
 * RFC 3966 5.1.5: a phone-context of leading digits says where a local number is unique; it is not meant to be put in
 * front. Where that gives a number of ours it is meant all the same.
 */
function inContext(
  written: string,
  question: RouteQuestion,
  trunk: RoutedTrunk,
  table: RoutingTable,
  c: Circumstances,
): string | undefined {
  const from = { 'request-uri': question.dialled, to: question.toUri, 'p-called-party-id': question.calledPartyId }
  const text = from[trunk.did] ?? question.dialled
  const context = /;phone-context=(\+[\d\-.()]{1,24})(?:[;@]|$)/i.exec(unescaped(text))?.[1]?.replace(/[^+\d]/g, '')
  if (context === undefined || written.startsWith('+')) return undefined
  const number = `${context}${written}`
  if (!table.dids.has(number) && table.inventory.find(number) === undefined) return undefined
  c.note?.('normalisation', `phone-context ${context}`, 'matched', `${brief(written)} is ${number}`)
  return number
}

/** ADR 21: where a carrier redirects a call, written as it writes numbers. */
export function redirectedTo(written: string, trunk: RoutedTrunk, table: RoutingTable): string | undefined {
  return numberOf(translate(trunk.inbound.called, written).number, trunk, table, { note: undefined })
}

/**
 * E.164 of what the carrier wrote: by the trunk's dial plan, else as it stands, with the plus it left out, with its
 * country code, and only then by the numbering plans of the world.
 */
function numberOf(
  written: string,
  trunk: RoutedTrunk,
  table: RoutingTable,
  c: Pick<Circumstances, 'note'>,
): string | undefined {
  if (trunk.dialPlan !== undefined) {
    const normalised = normalise(trunk.dialPlan, written, (_pass, rule, digits, result) =>
      c.note?.(
        'normalisation',
        `rule ${rule.name}`,
        result === undefined ? 'no-match' : 'matched',
        `${brief(digits)} → ${brief(result ?? 'nothing')}`,
      ),
    )
    if (isE164(normalised.number)) return normalised.number
  }
  if (isE164(written)) return written
  for (const number of [`+${written}`, `+${trunk.callingCode}${written}`])
    if (table.dids.has(number)) return found(written, number, trunk, c)
  const number = toE164(written, { country: trunk.country })
  return number === undefined ? undefined : found(written, number, trunk, c)
}

function found(written: string, number: string, trunk: RoutedTrunk, { note }: Pick<Circumstances, 'note'>): string {
  note?.('normalisation', `number as written in ${trunk.country}`, 'matched', `${brief(written)} is ${number}`)
  return number
}

export function readCaller(
  question: RouteQuestion,
  trunk: RoutedTrunk,
  c: Pick<Circumstances, 'facts' | 'note'>,
): CallIdentity {
  // RFC 3325: what a trusted peer asserts goes before From.
  const asserted = userOf(question.assertedIdentity)
  const { number } = translate(trunk.inbound.calling, asserted ?? readDialled(question.from.number))
  const read = toE164(number, { country: trunk.country }) ?? number
  const display = question.privacy ? question.from.display : nameOf(read, question.from.display, c)
  return { number: brief(read), ...(display === undefined ? {} : { display }) }
}

/** The name that the carrier sends, unless it is none: nothing, or the number once more. Then the one that is known (CNAM). */
function nameOf(
  number: string,
  sent: string | undefined,
  { facts, note }: Pick<Circumstances, 'facts' | 'note'>,
): string | undefined {
  if (sent !== undefined && /[^\d+\s().-]/.test(sent)) return sent
  const name = facts?.nameOf(number)
  if (name !== undefined)
    note?.('source', 'caller name', 'matched', `${brief(number)} is ${name}; the carrier sends no name`)
  return name ?? sent
}

function callingOf({ caller, question }: Arrival): Calling {
  const { privacy, diversions } = question
  return {
    number: privacy ? undefined : caller.number,
    display: caller.display,
    ...(diversions === undefined ? {} : { diversions }),
  }
}

function toUser(arrival: Arrival, user: RoutedUser, table: RoutingTable, c: Circumstances): RouteDecision {
  const arriving = { calling: callingOf(arrival), seed: arrival.question.callId }
  const ringing = ringUser(user, arriving, table, c)
  return putThrough(withFailover(ringing, user, arrival.number, arriving, table, c), arrival, table)
}

function toUnassigned(arrival: Arrival, number: string, entry: OurNumber, table: RoutingTable, c: Circumstances) {
  const arriving = { calling: callingOf(arrival), seed: arrival.question.callId }
  return putThrough(ringUnassigned(number, entry, arriving, table, c), arrival, table)
}

function putThrough(ringing: Ringing, arrival: Arrival, table: RoutingTable): RouteDecision {
  if (ringing.kind === 'refused') return refuse(arrival, table, ringing.status, ringing.reason)
  return {
    kind: 'route',
    revision: table.revision,
    emergency: false,
    dialled: arrival.dialled,
    ...normalisedOf(arrival),
    caller: arrival.caller,
    callee: ringing.user === undefined ? { number: arrival.number ?? arrival.dialled } : identityOf(ringing.user),
    branches: ringing.branches,
  }
}

/**
 * A call that a user forwarded or transferred goes where that user's own call would, by the user's `forward` usages, not
 * those of the trunk (R8).
 */
function passOn(came: Arrival, user: RoutedUser | undefined, table: RoutingTable, c: Circumstances): RouteDecision {
  if (user === undefined) return refuse(came, table, 403, 'Nobody here may pass this call on.')
  const dialled = readDialled(came.question.dialled.split(';', 1)[0] as string)
  const to = destinationOf({ dialled, site: user.site, ...scopeOf(user, undefined, table) }, table, c)
  const arrival = { ...came, dialled: brief(dialled), number: undefined }
  if (to.kind === 'none') return refuse(arrival, table, to.status, to.reason)
  if (to.kind === 'user') return toUser({ ...arrival, number: to.number }, to.user, table, c)
  const { number } = to.normalised
  if (to.kind === 'unassigned') return toUnassigned({ ...arrival, number }, number, to.entry, table, c)
  return out({ ...arrival, number }, number, user.policy.forward, undefined, table, c)
}

/** R2: an unassigned DID of ours is 404; PSTN to PSTN only by the trunk's own usages, which are none by default. */
function passThrough(arrival: Arrival, table: RoutingTable, c: Circumstances): RouteDecision {
  const { number, trunk, dialled } = arrival
  if (number === undefined) return refuse(arrival, table, 404, `${dialled} is no number of ours.`)
  // R8: a call must not go back where it came from.
  const decision = out(arrival, number, trunk.transit, trunk, table, c)
  const neighbour = decision.kind === 'reject' && table.blocks.has(blockOf(number))
  return neighbour ? refuse(arrival, table, 404, `Nobody has ${number}.`) : decision
}

function out(
  arrival: Arrival,
  number: string,
  authority: RoutedTrunk['transit'],
  not: RoutedTrunk | undefined,
  table: RoutingTable,
  c: Circumstances,
): RouteDecision {
  const selection = selectTrunks(number, authority, table, arrival.question.callId, c)
  if (selection.kind === 'no-route') return refuse(arrival, table, 404, `No route takes ${number}.`)
  if (selection.kind === 'closed') {
    const reason = `${number} may not be called at this time (route ${selection.route.name}).`
    return refuse(arrival, table, 403, reason)
  }
  const picks = selection.kind === 'chosen' ? selection.picks.filter((pick) => pick.trunk !== not) : []
  if (picks.length === 0) {
    const why =
      selection.kind === 'chosen' ? 'it would go back where it came from' : `${authority.owner} has no usage for it`
    return refuse(arrival, table, 403, `The call to ${number} may not go on to the telephone network: ${why}.`)
  }
  const attempts = trunkAttempts(picks, number, callingOf(arrival), c)
  if (attempts.length === 0) return refuse(arrival, table, 403, 'No trunk lets the caller be shown.')
  return {
    kind: 'route',
    revision: table.revision,
    emergency: false,
    dialled: arrival.dialled,
    normalised: number,
    ...usageOf(picks, attempts),
    caller: arrival.caller,
    callee: { number },
    branches: [{ role: 'callee', delayMs: 0, attempts }],
  }
}

const normalisedOf = ({ number }: Arrival) => (number === undefined ? {} : { normalised: number })

function refuse(arrival: Arrival, table: RoutingTable, status: number, reason: string): RouteDecision {
  return { kind: 'reject', revision: table.revision, status, reason, ...normalisedOf(arrival), caller: arrival.caller }
}
