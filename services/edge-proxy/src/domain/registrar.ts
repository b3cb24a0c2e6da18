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
  /** RFC 5626 4.1: the device, as it stands in +sip.instance, with its angle brackets. */
  readonly instance: string | undefined
  /** RFC 5626: this contact is a flow of its instance. */
  readonly regId: number | undefined
  /** RFC 5627 5.1: what temporary GRUUs of the instance stand for; a new one with each new Call-ID. */
  readonly session: string | undefined
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
  /** Of the address of record. */
  readonly aor: {
    readonly user: string
    readonly domain: string /** The user part with its escapes. */
    readonly written: string
  }
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
  newSession: () => string = newId,
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
    const session = sessionOf(contact, facts, after, known, newSession)
    const fresh = bind(contact, facts, { id: known?.bindingId ?? newId(), session, now, seconds })
    // RFC 5627 5.1: a new Call-ID ends what was given out before, on all flows of the instance
    if (session !== undefined) {
      after = after.map((b) => (b.instance === fresh.instance && b.session !== session ? { ...b, session } : b))
    }
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

// RFC 5627 5.1: the most recent contact of instance and reg-id tells whether the device has begun anew
function sessionOf(
  contact: NameAddr,
  facts: RegisterFacts,
  others: readonly BoundContact[],
  known: BoundContact | undefined,
  newSession: () => string,
): string | undefined {
  const instance = instanceOf(contact)
  if (instance === undefined) return undefined
  const regId = flowOf(contact, facts)?.regId
  const same = inOrderOfTime([...others, ...(known ? [known] : [])]).filter((b) => b.instance === instance)
  const last = same.find((b) => b.regId === regId)
  if (last && last.callId !== facts.callId) return newSession()
  return (last ?? same[0])?.session ?? newSession()
}

const inOrderOfTime = (bindings: readonly BoundContact[]) => bindings.toSorted((a, b) => b.boundAt - a.boundAt)

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
    if (contact.uri.scheme !== 'sip' && contact.uri.scheme !== 'sips') {
      // RFC 5627 5.1 for those with an instance
      return refused(instanceOf(contact) === undefined ? 400 : 403, 'Contact is no SIP URI')
    }
    // RFC 5627 5.1: the address of record or a GRUU of it as contact would go round for ever
    const { user, domain } = facts.aor
    // RFC 3261 19.1.4: a URI with header fields is another one (RFC 4475 3.3.14)
    const ours = contact.uri.host === domain && contact.uri.port === undefined && contact.uri.headers === undefined
    if (ours && (contact.uri.user === user || contact.uri.params.has('gr'))) {
      return refused(403, 'Contact is the address of record')
    }
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
  const instance = instanceOf(contact)
  const regId = contact.params.get('reg-id')
  if (!instance || regId === undefined || !/^\d{1,9}$/.test(regId)) return undefined
  return facts.supported.includes('outbound') ? { instance, regId: Number(regId) } : undefined
}

function instanceOf(contact: NameAddr): string | undefined {
  const instance = contact.params.get('+sip.instance')
  return instance === undefined || instance === '' || instance.length > 256 ? undefined : instance
}

function sameBinding(known: BoundContact, contact: NameAddr, facts: RegisterFacts): boolean {
  const flow = flowOf(contact, facts)
  return samePhone(known, { contact, instance: flow?.instance, regId: flow?.regId })
}

/** RFC 5626 6: the same flow of an instance; else, by RFC 3261 10.3, the same contact. */
export function samePhone(
  a: Pick<BoundContact, 'contact' | 'instance' | 'regId'>,
  b: Pick<BoundContact, 'contact' | 'instance' | 'regId'>,
): boolean {
  if (a.regId !== undefined || b.regId !== undefined) return a.instance === b.instance && a.regId === b.regId
  return sameUri(a.contact.uri, b.contact.uri)
}

/**
 * Of two bindings of one phone, made at two edges that did not know of each other yet: does the first one stand? That of
 * the later REGISTER; within one millisecond both edges must choose the same, or none would be left.
 */
export function outlasts(a: Pick<BoundContact, 'bindingId' | 'boundAt'>, b: typeof a): boolean {
  return a.boundAt === b.boundAt ? a.bindingId > b.bindingId : a.boundAt > b.boundAt
}

function bind(
  contact: NameAddr,
  facts: RegisterFacts,
  made: { readonly id: string; readonly session: string | undefined; readonly now: number; readonly seconds: number },
): BoundContact {
  const { id, session, now, seconds } = made
  const flow = flowOf(contact, facts)
  return {
    bindingId: id,
    contact,
    callId: facts.callId,
    cseq: facts.cseq,
    instance: instanceOf(contact),
    regId: flow?.regId,
    session,
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

export function preference(contact: NameAddr): number {
  const q = Number(contact.params.get('q') ?? '1')
  return q >= 0 && q <= 1 ? q : 1
}

/** Contact values of the 200: every binding with the time it has left (RFC 3261 10.3 step 8); `more`: its GRUUs. */
export function contactValues(
  bindings: readonly BoundContact[],
  now: number,
  more: (b: BoundContact) => string = () => '',
): string[] {
  return bindings.map((b) => {
    const left = Math.max(Math.round((b.expiresAt - now) / 1000), 0)
    let value = `<${b.contact.uriText}>;expires=${left}`
    const q = b.contact.params.get('q')
    if (q !== undefined && /^[01](\.\d{0,3})?$/.test(q)) value += `;q=${q}`
    if (b.instance !== undefined) value += `;+sip.instance="${b.instance}"`
    if (b.regId !== undefined) value += `;reg-id=${b.regId}`
    return value + more(b)
  })
}
