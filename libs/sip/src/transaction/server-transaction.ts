/** Server transactions as their user sees them, and the machines behind them that linger after the final response. */
import { makeResponse, type ResponseParts } from '../message/make.ts'
import type { SipRequest, SipResponse } from '../message/message.ts'
import { writeMessage } from '../message/write.ts'
import * as invite from './invite-server.ts'
import { KeptMessage } from './kept-message.ts'
import { Machine, type MachineOwner } from './machine.ts'
import * as nonInvite from './non-invite-server.ts'
import type { Wire } from './wire.ts'

/** A request to be answered. Handlers are set by the user inside `onRequest`, before it returns. */
export class ServerTransaction {
  readonly request: SipRequest
  /** Where the request came from, and responses go unless its Via wants them elsewhere (RFC 3261 18.2.2). */
  readonly wire: Wire
  /** The To tag for all responses of this transaction, unless the request has one already (RFC 3261 8.2.6.2). */
  readonly toTag: string
  readonly #machine: ServerMachine

  /**
   * INVITE only: a CANCEL came before any final response and was answered with 200 by the layer. If the handler
   * leaves the INVITE unanswered, the layer answers it with 487 (RFC 3261 9.2).
   */
  onCancel: ((cancel: SipRequest) => void) | undefined
  /** INVITE only: the ACK to our 300-699 never came (timer H). */
  onTimeout: (() => void) | undefined
  /** A response could not be sent. The transaction lives on (RFC 6026 7.1). */
  onTransportError: (() => void) | undefined

  constructor(request: SipRequest, wire: Wire, toTag: string, machine: ServerMachine) {
    this.request = request
    this.wire = wire
    this.toTag = toTag
    this.#machine = machine
  }

  /** True once a final response was given: further responses (but for the same 2xx again) go nowhere. */
  get answered(): boolean {
    return this.#machine.answered
  }

  /** Sends a response made with `makeResponse` (its To must carry a tag unless it is a 100). */
  respond(response: SipResponse): void {
    this.respondBytes(response.status, response, writeMessage(response))
  }

  /**
   * Makes the response with our To tag and sends it; the response is returned for whoever builds a dialog of it. RFC 4320 4.2:
   * a 408 goes to an INVITE only, anybody else is told 504.
   */
  reply(wanted: number, parts: ResponseParts = {}): SipResponse {
    const status = wanted === 408 && this.request.method !== 'INVITE' ? 504 : wanted
    const response = makeResponse(this.request, status, status === 100 ? parts : { toTag: this.toTag, ...parts })
    this.respond(response)
    return response
  }

  /** As `respond`, with the bytes the caller has written already; they are kept for retransmission. */
  respondBytes(status: number, response: SipResponse, bytes: Uint8Array): void {
    this.#machine.respond(status, response, bytes)
  }
}

export interface ServerOwner extends MachineOwner {
  random(): string
  /** The machine has terminated. */
  forgetServer(machine: ServerMachine): void
  /** A response other than 2xx went out to an RFC 2543 client: its ACK is found by the To tag. */
  expectAck2543(machine: ServerMachine, request: SipRequest, response: SipResponse): void
}

export abstract class ServerMachine extends Machine {
  readonly key: string
  readonly mergeKey: string | undefined
  /** Set by the layer for RFC 2543 clients only. */
  ackKey: string | undefined
  /** Dropped with the final response, so that what lingers is small. */
  protected user: ServerTransaction | undefined
  protected readonly serverOwner: ServerOwner

  constructor(owner: ServerOwner, wire: Wire, key: string, mergeKey: string | undefined) {
    super(owner, wire)
    this.serverOwner = owner
    this.key = key
    this.mergeKey = mergeKey
  }

  abstract readonly answered: boolean
  abstract respond(status: number, response: SipResponse, bytes: Uint8Array): void
  abstract retransmission(): void

  attach(user: ServerTransaction): void {
    this.user = user
  }

  protected end(): void {
    this.clearAllTimers()
    this.serverOwner.forgetServer(this)
  }
}

export class InviteServerMachine extends ServerMachine {
  #state: invite.InviteServerState<KeptMessage> = { kind: 'proceeding', last: undefined }
  /** The To tag of our responses: CANCEL is answered with the same (RFC 3261 9.2). */
  #toTag = ''

  begin(user: ServerTransaction): void {
    this.attach(user)
    this.#toTag = user.toTag
    this.#run(invite.start())
  }

  get toTag(): string {
    return this.#toTag
  }

  get answered(): boolean {
    return this.#state.kind !== 'proceeding'
  }

  respond(status: number, response: SipResponse, bytes: Uint8Array): void {
    const first = !this.answered && status >= 200
    const user = this.user
    const kept = new KeptMessage(bytes)
    this.#input({ kind: 'respond', status, response: kept })
    if (!first) return
    kept.compact()
    if (status >= 300 && user) this.serverOwner.expectAck2543(this, user.request, response)
    else this.user = undefined
  }

  retransmission(): void {
    this.owner.counters.retransmissionsReceived++
    if (this.#state.kind !== 'accepted') this.#input({ kind: 'retransmission' })
  }

  /** True when the ACK belongs to the user (a 2xx was sent). */
  ack(): boolean {
    if (this.#state.kind === 'accepted') return true
    this.#input({ kind: 'ack' })
    this.user = undefined
    return false
  }

  /** RFC 3261 9.2: without a final response the user is asked to end, and a 487 is sent if it does not. */
  cancel(request: SipRequest): void {
    const user = this.user
    if (this.answered || !user) return
    user.onCancel?.(request)
    if (!this.answered) user.reply(487)
  }

  fired(name: string): void {
    if (name === 'G') this.owner.counters.retransmissionsSent++
    this.#input({ kind: 'timer', timer: name as invite.InviteServerTimer })
  }

  transportFailed(): void {
    this.#input({ kind: 'transport-error' })
  }

  #input(input: invite.InviteServerInput<KeptMessage>): void {
    this.#run(invite.step(this.#state, input, this.clock))
  }

  #run([state, effects]: invite.InviteServerStep<KeptMessage>): void {
    this.#state = state
    for (const effect of effects) this.#apply(effect)
  }

  #apply(effect: invite.InviteServerEffect<KeptMessage>): void {
    switch (effect.kind) {
      case 'send':
        this.transmit(effect.response.bytes)
        break
      case 'set-timer':
        this.setTimer(effect.timer, effect.ms)
        break
      case 'clear-timer':
        this.clearTimer(effect.timer)
        break
      case 'trying-due':
        this.user?.reply(100)
        break
      case 'to-user':
        if (effect.event === 'timeout') {
          this.owner.counters.timeouts++
          this.user?.onTimeout?.()
        } else if (effect.event === 'transport-error') this.user?.onTransportError?.()
        break
      case 'terminated':
        this.end()
        break
    }
  }
}

const ABANDON = 'abandon'

export class NonInviteServerMachine extends ServerMachine {
  #state: nonInvite.NonInviteServerState<KeptMessage> = { kind: 'trying' }

  get answered(): boolean {
    return this.#state.kind === 'completed' || this.#state.kind === 'terminated'
  }

  respond(status: number, _response: SipResponse, bytes: Uint8Array): void {
    if (status >= 200) this.clearTimer(ABANDON)
    const kept = new KeptMessage(bytes)
    this.#input({ kind: 'respond', status, response: kept })
    if (status < 200) return
    kept.compact()
    this.user = undefined
  }

  /** RFC 4320 4.2: after 64*T1 the client has given up (timer F) and an answer would only confuse: none is sent. */
  abandonLater(): void {
    if (!this.answered) this.setTimer(ABANDON, 64 * this.clock.t1)
  }

  retransmission(): void {
    this.owner.counters.retransmissionsReceived++
    this.#input({ kind: 'retransmission' })
  }

  fired(name: string): void {
    if (name !== ABANDON) this.#input({ kind: 'timer', timer: 'J' })
    else if (!this.answered) {
      this.owner.counters.timeouts++
      this.#state = { kind: 'terminated' }
      this.end()
    }
  }

  transportFailed(): void {
    this.#input({ kind: 'transport-error' })
  }

  #input(input: nonInvite.NonInviteServerInput<KeptMessage>): void {
    const [state, effects] = nonInvite.step(this.#state, input, this.clock)
    this.#state = state
    for (const effect of effects) {
      if (effect.kind === 'send') this.transmit(effect.response.bytes)
      else if (effect.kind === 'set-timer') this.setTimer(effect.timer, effect.ms)
      else if (effect.kind === 'clear-timer') this.clearTimer(effect.timer)
      else if (effect.kind === 'to-user') this.user?.onTransportError?.()
      else this.end()
    }
  }
}
