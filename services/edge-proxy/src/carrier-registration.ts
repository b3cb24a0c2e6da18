/**
 * The registration of one trunk with its carrier (edge.md E3): kept alive before it ends, made again when its connection
 * breaks, taken back at the end.
 *
 *   idle --begin--> asking --2xx--> registered --80 % of the time granted, flow gone--> asking
 *                     `--no, silence--> waiting (doubling, Retry-After)--> asking
 */
import { randomBytes } from 'node:crypto'
import type { Trunk } from '@tandem/config/defaults.ts'
import { authorize } from '@tandem/sip/auth/digest.ts'
import { makeRequest } from '@tandem/sip/message/make.ts'
import type { SipResponse, SipUri } from '@tandem/sip/message/message.ts'
import { readNumber } from '@tandem/sip/message/read.ts'
import { finalResponse, requestTarget } from './carrier-request.ts'
import { ALLOW } from './domain/screen.ts'
import {
  type Granted,
  type Instance,
  instanceOf,
  type OwnContact,
  readGranted,
  refreshAfterMs,
  registerFields,
  retryAfterMs,
} from './domain/trunk-registration.ts'
import type { Timer, TrunkPath, Wire } from './edge.ts'
import { keepAlive } from './flow-keeper.ts'
import type { TrunkLinkParts } from './trunk-link.ts'

/** RFC 3261 17.1.2.2: timer F. */
const ANSWER_MS = 32_000
/** Where another address of the registrar is left, ms. */
const NEXT_MS = 5_000
/** How long a stop waits for the carrier to take the registration back, ms. */
const UNREGISTER_MS = 1_000

/** Where it is registered now. */
export interface Registered {
  /** Wall clock, ms. */
  readonly untilMs: number
  /** The flow that the carrier knows us by. */
  readonly wire: Wire
  readonly serviceRoute: readonly string[]
}

type Register = NonNullable<Trunk['register']>

export class CarrierRegistration {
  readonly #trunk: Trunk
  readonly #register: Register
  readonly #registrar: SipUri
  readonly #parts: TrunkLinkParts
  /** Ways to a URI, by the outbound proxy where there is one. */
  readonly #pathsTo: (uri: SipUri) => Promise<readonly TrunkPath[]>
  readonly #changed: () => void
  readonly #instance: Instance
  #outbound = true
  readonly #callId = randomBytes(12).toString('hex')
  readonly #fromTag = randomBytes(6).toString('hex')
  #cseq = 0
  #failures = 0
  #expiresS: number
  #now: Registered | undefined
  #why: string | undefined
  #timer: Timer | undefined
  #stopKeeping: (() => void) | undefined
  #running = false
  #asking = false

  constructor(
    trunk: Trunk & { register: Register },
    registrar: SipUri,
    parts: TrunkLinkParts,
    pathsTo: (uri: SipUri) => Promise<readonly TrunkPath[]>,
    changed: () => void,
  ) {
    this.#trunk = trunk
    this.#register = trunk.register
    this.#registrar = registrar
    this.#parts = parts
    this.#pathsTo = pathsTo
    this.#changed = changed
    this.#expiresS = trunk.register.expiresS
    this.#instance = instanceOf(parts.config().domain, trunk.name, parts.node)
  }

  /** Undefined while it is not, or has run out. */
  get registered(): Registered | undefined {
    return this.#now && this.#now.untilMs > this.#parts.clock.wall() ? this.#now : undefined
  }

  get why(): string | undefined {
    return this.#why
  }

  begin(): void {
    if (this.#running) return
    this.#running = true
    this.#outbound = true
    void this.#ask()
  }

  /** Another edge registers from now on. */
  leave(): void {
    this.#running = false
    if (this.#timer) this.#parts.clock.clearTimer(this.#timer)
    this.#stopKeeping?.()
    if (this.#now === undefined) return
    this.#now = undefined
    this.#changed()
  }

  /** Its connection is gone: the carrier cannot reach us any more (RFC 5626 4.2). */
  flowFailed(flow: string): void {
    if (!this.#running || this.#now?.wire.flow !== flow) return
    this.#now = undefined
    this.#why = 'registration: the connection to the registrar broke'
    this.#changed()
    this.#again(0)
  }

  async close(): Promise<void> {
    const registered = this.registered
    this.#running = false
    if (this.#timer) this.#parts.clock.clearTimer(this.#timer)
    this.#stopKeeping?.()
    if (!registered) return
    const limit = new Promise<void>((late) => void this.#parts.clock.setTimer(UNREGISTER_MS, late))
    await Promise.race([this.#once(0), limit])
    this.#now = undefined
  }

  #again(ms: number): void {
    if (!this.#running) return
    if (this.#timer) this.#parts.clock.clearTimer(this.#timer)
    this.#timer = this.#parts.clock.setTimer(ms, () => void this.#ask())
  }

  async #ask(): Promise<void> {
    if (this.#asking) return
    this.#asking = true
    const said = await this.#once(this.#expiresS).finally(() => {
      this.#asking = false
    })
    if (!this.#running) return
    const before = this.registered !== undefined
    const ok = said.answer !== undefined && said.answer.status >= 200 && said.answer.status < 300
    if (ok && said.wire) this.#granted(said.answer as SipResponse, said.wire, said.own as OwnContact)
    else this.#refused(said.answer)
    if (before === (this.registered !== undefined) && (ok || this.#failures !== 1)) return
    const { log } = this.#parts
    log.info(
      { trunk: this.#trunk.name, registered: this.registered !== undefined, why: this.#why },
      'trunk registration',
    )
    this.#changed()
  }

  #granted(answer: SipResponse, wire: Wire, own: OwnContact): void {
    const { clock } = this.#parts
    const granted = readGranted(answer, own, this.#instance, this.#expiresS)
    this.#failures = 0
    this.#why = undefined
    this.#now = { untilMs: clock.wall() + granted.expiresS * 1000, wire, serviceRoute: granted.serviceRoute }
    wire.keepUntil(clock.now() + granted.expiresS * 1000 + 30_000)
    this.#keep(wire, granted)
    this.#again(refreshAfterMs(granted.expiresS))
  }

  /** RFC 5626 4.4: a flow of outbound is kept alive; without it a ping harms nobody, and a missing pong says nothing. */
  #keep(wire: Wire, granted: Granted): void {
    this.#stopKeeping?.()
    this.#stopKeeping = keepAlive(this.#parts.clock, wire, granted, () => this.flowFailed(wire.flow))
  }

  #refused(answer: SipResponse | undefined): void {
    this.#failures++
    // RFC 3261 10.2.8: 423 says the least that it takes
    const least = answer?.status === 423 ? (readNumber(answer, 'min-expires') ?? 0) : 0
    // RFC 5626 4.2.1: 439: the first hop does without flows
    const mended = least > this.#expiresS || (answer?.status === 439 && this.#outbound)
    this.#expiresS = Math.max(this.#expiresS, least)
    if (answer?.status === 439) this.#outbound = false
    this.#why = answer ? `registration: ${answer.status} ${answer.reason}`.slice(0, 200) : 'registration: no answer'
    const retryAfterS = answer === undefined ? undefined : readNumber(answer, 'retry-after')
    const ms = retryAfterMs({ failures: this.#failures, status: answer?.status, retryAfterS, random: Math.random() })
    this.#again(mended ? 0 : ms)
  }

  /** RFC 3263 4.3: the next address of the registrar where one is silent or overloaded. */
  async #once(expiresS: number): Promise<{ answer?: SipResponse | undefined; wire?: Wire; own?: OwnContact }> {
    const known = this.registered
    const paths = await this.#pathsTo(this.#registrar).catch(() => [])
    // what was registered on one flow is refreshed and removed on it (RFC 5626 4.2)
    const ordered = paths.toSorted((a, b) => Number(b.wire === known?.wire) - Number(a.wire === known?.wire))
    let answer: SipResponse | undefined
    for (const [i, path] of ordered.entries()) {
      const last = i === ordered.length - 1
      const own = this.#own(path.wire)
      answer = await this.#on(path, own, expiresS, last ? ANSWER_MS : NEXT_MS)
      if (answer !== undefined && (answer.status !== 503 || last)) return { answer, wire: path.wire, own }
      if (!this.#running) break
    }
    return { answer }
  }

  #own(wire: Wire): OwnContact {
    const { user, bulk } = this.#register
    return { user, sentBy: wire.sentBy, transport: wire.transport, bulk }
  }

  /** One REGISTER, and once or twice more with the credentials it asks for. */
  async #on(path: TrunkPath, own: OwnContact, expiresS: number, limitMs: number): Promise<SipResponse | undefined> {
    let answer: SipResponse | undefined
    let authorization: readonly [string, string] | undefined
    for (let round = 0; round < 3; round++) {
      answer = await finalResponse(this.#parts, this.#request(path, own, expiresS, authorization), path.wire, limitMs)
      if (answer?.status !== 401 && answer?.status !== 407) return answer
      const asked = answer.headers.getAll('www-authenticate').concat(answer.headers.getAll('proxy-authenticate'))
      // the same credentials again are of use only when the nonce was old
      if (authorization !== undefined && !asked.some((c) => /stale\s*=\s*"?true/i.test(c))) return answer
      authorization = this.#credentials(answer, requestTarget(this.#registrar))
      if (!authorization) return answer
    }
    return answer
  }

  #request(path: TrunkPath, own: OwnContact, expiresS: number, authorization: readonly [string, string] | undefined) {
    const aor = `sip:${this.#register.user}@${this.#registrar.host}`
    const { contact, headers } = registerFields(own, this.#outbound ? this.#instance : undefined, expiresS)
    headers.push(['Allow', ALLOW])
    if (authorization) headers.push([...authorization])
    return makeRequest({
      method: 'REGISTER',
      uri: requestTarget(this.#registrar),
      from: `<${aor}>;tag=${this.#fromTag}`,
      to: `<${aor}>`,
      callId: this.#callId,
      // RFC 3261 10.2: one Call-ID, a CSeq that counts up
      cseq: ++this.#cseq,
      route: path.routes,
      contact,
      headers,
    })
  }

  #credentials(answer: SipResponse, uri: string): readonly [string, string] | undefined {
    const proxy = answer.status === 407
    const challenges = answer.headers.getAll(proxy ? 'proxy-authenticate' : 'www-authenticate')
    const password = this.#parts.password()
    if (password === undefined) return undefined
    const cnonce = randomBytes(8).toString('hex')
    const { user: username } = this.#register
    const value = authorize({ challenges, username, secret: { password }, method: 'REGISTER', uri, cnonce })
    return value === undefined ? undefined : [proxy ? 'Proxy-Authorization' : 'Authorization', value]
  }
}
