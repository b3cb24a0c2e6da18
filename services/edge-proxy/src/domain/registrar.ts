/**
 * The registrar (RFC 3261 10.3, RFC 3327, RFC 5626 6) as a pure step: the bindings of one user and what a REGISTER says
 * give an answer and the bindings after it. Nothing is half done: a refusal changes nothing.
 */
import type { NameAddr } from '@tandem/sip/message/message.ts'
import { sameUri } from '@tandem/sip/message/uri.ts'

export interface BoundContact {
  readonly bindingId: string
  readonly contact: NameAddr
  readonly callId: string
  readonly cseq: number
  /** RFC 5626: instance and reg-id of an outbound flow. */
  readonly instance: string | undefined
  readonly regId: number | undefined
  readonly path: readonly string[]
  /** Identity of the flow that the REGISTER came over: where requests to this contact go. */
  readonly flow: string
  /** address:port the packets really came from. */
  readonly source: string
  readonly transport: string
  readonly site: string | undefined
  readonly userAgent: string | undefined
  /** Wall clock, ms. */
  readonly boundAt: number
  readonly expiresAt: number
}

/** What a REGISTER says, read. */
export interface RegisterFacts {
  readonly contacts: readonly NameAddr[] | '*'
  /** Expires header, s. */
  readonly expires: number | undefined
  readonly callId: string
  readonly cseq: number
  readonly path: readonly string[]
  /** Option tags of Supported. */
  readonly supported: readonly string[]
  /** One Via only: no proxy between the phone and us. */
  readonly firstHop: boolean
  readonly flow: string
  readonly source: string
  readonly transport: string
  readonly site: string | undefined
  readonly userAgent: string | undefined
}

export interface RegistrarLimits {
  /** s. */
  readonly minimum: number
  readonly maximum: number
  /** Contacts of one user. */
  readonly contacts: number
}

export type RegisterOutcome =
  | {
      readonly kind: 'accepted'
      readonly bindings: readonly BoundContact[]
      /** New or refreshed. */
      readonly bound: readonly BoundContact[]
      readonly removed: readonly BoundContact[]
      /** RFC 5626 6: the flow is one of outbound; the response says `Require: outbound`. */
      readonly outbound: boolean
    }
  | {
      readonly kind: 'refused'
      readonly status: number
      readonly reason: string
      readonly headers: readonly (readonly [string, string])[]
    }

export function register(
  present: readonly BoundContact[],
  facts: RegisterFacts,
  limits: RegistrarLimits,
  now: number,
  newId: () => string,
): RegisterOutcome {
  const bindings = present.filter((b) => b.expiresAt > now)
  if (facts.contacts === '*') return removeAll(bindings, facts)
  const wanted = facts.contacts.map((contact) => ({ contact, seconds: requested(contact, facts, limits) }))
  const wrong = refusal(wanted, facts, limits)
  if (wrong) return wrong
  const outbound = wanted.some((w) => flowOf(w.contact, facts) !== undefined)
  let after: readonly BoundContact[] = bindings
  const bound: BoundContact[] = []
  const removed: BoundContact[] = []
  for (const { contact, seconds } of wanted) {
    const known = after.find((b) => sameBinding(b, contact, facts))
    // RFC 3261 10.3 step 7: with the Call-ID of the binding, a CSeq that is not higher aborts the whole request
    if (known && known.callId === facts.callId && known.cseq >= facts.cseq) return outOfOrder()
    if (known) after = after.filter((b) => b !== known)
    if (seconds === 0) {
      if (known) removed.push(known)
      continue
    }
    const fresh = bind(contact, facts, known?.bindingId ?? newId(), now, seconds)
    bound.push(fresh)
    after = [...after, fresh]
  }
  // phones that restart come with a new contact each time: the oldest makes room
  while (after.length > limits.contacts) {
    const oldest = after.reduce((a, b) => (b.boundAt < a.boundAt ? b : a))
    after = after.filter((b) => b !== oldest)
    removed.push(oldest)
  }
  return { kind: 'accepted', bindings: after, bound, removed, outbound }
}

/** Seconds, within the limits; 0 removes. */
function requested(contact: NameAddr, facts: RegisterFacts, limits: RegistrarLimits): number {
  const said = contact.params.get('expires')
  // RFC 3261 20.10: a malformed expires parameter counts as 3600
  const seconds = said === undefined ? facts.expires : /^\d{1,10}$/.test(said) ? Number(said) : 3600
  return Math.min(seconds ?? limits.maximum, limits.maximum)
}

function refusal(
  wanted: readonly { contact: NameAddr; seconds: number }[],
  facts: RegisterFacts,
  limits: RegistrarLimits,
): RegisterOutcome | undefined {
  if (wanted.length > limits.contacts) return refused(403, `more than ${limits.contacts} contacts`)
  for (const { contact, seconds } of wanted) {
    if (contact.uri.scheme !== 'sip' && contact.uri.scheme !== 'sips') return refused(400, 'Contact is no SIP URI')
    if (seconds > 0 && seconds < limits.minimum) {
      return { ...refused(423), headers: [['Min-Expires', String(limits.minimum)]] }
    }
  }
  const asksOutbound = facts.supported.includes('outbound') && wanted.some((w) => w.contact.params.has('reg-id'))
  // RFC 5626 6: not the first hop, and the first Path has no `ob`
  if (asksOutbound && !facts.firstHop && !/[;]ob\b/.test(facts.path[0] ?? '')) return refused(439)
  const lasting = wanted.filter((w) => w.seconds > 0)
  if (lasting.length > 1 && lasting.some((w) => flowOf(w.contact, facts))) return refused(400, 'one flow, one contact')
  return undefined
}

// RFC 3261 10.3 step 6
function removeAll(bindings: readonly BoundContact[], facts: RegisterFacts): RegisterOutcome {
  if (facts.expires !== 0) return refused(400, 'Contact * needs Expires: 0')
  if (bindings.some((b) => b.callId === facts.callId && b.cseq >= facts.cseq)) return outOfOrder()
  return { kind: 'accepted', bindings: [], bound: [], removed: bindings, outbound: false }
}

function outOfOrder(): RegisterOutcome {
  // RFC 3261 12.2.2 gives 500 to a request that is out of order; 10.3 only says that it fails
  return refused(500, 'CSeq out of order')
}

function refused(status: number, reason = ''): RegisterOutcome & { kind: 'refused' } {
  return { kind: 'refused', status, reason, headers: [] }
}

/** RFC 5626 6: instance and reg-id name the flow; a reg-id without instance is ignored. */
function flowOf(contact: NameAddr, facts: RegisterFacts): { instance: string; regId: number } | undefined {
  const instance = contact.params.get('+sip.instance')
  const regId = contact.params.get('reg-id')
  if (!instance || regId === undefined || !/^\d{1,9}$/.test(regId)) return undefined
  return facts.supported.includes('outbound') ? { instance, regId: Number(regId) } : undefined
}

function sameBinding(known: BoundContact, contact: NameAddr, facts: RegisterFacts): boolean {
  const flow = flowOf(contact, facts)
  if (flow || known.regId !== undefined) return known.instance === flow?.instance && known.regId === flow?.regId
  return sameUri(known.contact.uri, contact.uri)
}

function bind(contact: NameAddr, facts: RegisterFacts, id: string, now: number, seconds: number): BoundContact {
  const flow = flowOf(contact, facts)
  return {
    bindingId: id,
    contact,
    callId: facts.callId,
    cseq: facts.cseq,
    instance: flow?.instance,
    regId: flow?.regId,
    path: facts.path,
    flow: facts.flow,
    source: facts.source,
    transport: facts.transport,
    site: facts.site,
    userAgent: facts.userAgent,
    boundAt: now,
    expiresAt: now + seconds * 1000,
  }
}

/** The bindings that are left at `now`, and those that ran out. */
export function expire(
  bindings: readonly BoundContact[],
  now: number,
): { readonly left: readonly BoundContact[]; readonly gone: readonly BoundContact[] } {
  return { left: bindings.filter((b) => b.expiresAt > now), gone: bindings.filter((b) => b.expiresAt <= now) }
}

/** In the order to try: highest q first (RFC 3261 20.10: 1 when absent), then the newest. */
export function inOrder(bindings: readonly BoundContact[]): readonly BoundContact[] {
  return bindings.toSorted((a, b) => preference(b.contact) - preference(a.contact) || b.boundAt - a.boundAt)
}

function preference(contact: NameAddr): number {
  const q = Number(contact.params.get('q') ?? '1')
  return q >= 0 && q <= 1 ? q : 1
}

/** Contact values of the 200: every binding with the time it has left (RFC 3261 10.3 step 8). */
export function contactValues(bindings: readonly BoundContact[], now: number): string[] {
  return bindings.map((b) => {
    const left = Math.max(Math.round((b.expiresAt - now) / 1000), 0)
    let value = `<${b.contact.uriText}>;expires=${left}`
    const q = b.contact.params.get('q')
    if (q !== undefined && /^[01](\.\d{0,3})?$/.test(q)) value += `;q=${q}`
    if (b.instance !== undefined) value += `;+sip.instance="${b.instance}"`
    if (b.regId !== undefined) value += `;reg-id=${b.regId}`
    return value
  })
}
