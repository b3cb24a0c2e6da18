/** Client transactions: what the layer's `request` gives back, and the machines behind. */
import { makeAck, makeCancel } from '../message/make.ts'
import type { SipRequest, SipResponse } from '../message/message.ts'
import { toTag } from '../message/read.ts'
import { flatten } from '../message/text.ts'
import { writeMessage } from '../message/write.ts'
import * as invite from './invite-client.ts'
import { KeptMessage } from './kept-message.ts'
import { Machine, type MachineOwner } from './machine.ts'
import * as nonInvite from './non-invite-client.ts'
import type { Wire } from './wire.ts'

/** What the user of a client transaction hears. None is called before `request` has returned. */
export interface ClientHandlers {
  /**
   * Every provisional response, and the final one once. INVITE: the 2xx of every branch of a fork, each To tag
   * until the user has acknowledged it (`ack`); a repeated 2xx is then acknowledged again by the layer itself.
   */
  onResponse(response: SipResponse): void
  /** No final response in time (treat as 408, RFC 3261 8.1.3.1). */
  onTimeout(): void
  /** It could not be sent, or the connection is lost (treat as 503). */
  onTransportError(): void
  /** ICMP said that nobody listens there; the request is repeated all the same (`exempt` of the layer). */
  onUnreachable?(): void
}

export interface ClientTransaction {
  readonly method: string
  readonly branch: string
  readonly wire: Wire
  /**
   * INVITE: gives up the call (RFC 3261 9.1): the CANCEL waits for a provisional response; the final response (487,
   * or a 2xx that crossed) still comes to `onResponse`, or `onTimeout` after 64*T1. Other methods: nothing happens.
   */
  cancel(headers?: Iterable<readonly [name: string, value: string]>): void
  /**
   * INVITE: sends the ACK of a 2xx and keeps it for repetitions of that 2xx (RFC 3261 13.2.2.4). The ACK comes from
   * `ackInDialog` and carries no Via of ours; `wire` is where the dialog's next hop is (default: that of the INVITE).
   */
  ack(ack: SipRequest, wire?: Wire): void
  /**
   * The user is done with this INVITE (its call is over): drops the handlers, so that nothing of the call is held for
   * the 64*T1 that a transaction lingers. A repeated 2xx is still acknowledged; one of another fork is dropped.
   */
  release(): void
}

export interface ClientOwner extends MachineOwner {
  forgetClient(machine: ClientMachine): void
  /** The final response is here: a lost connection does not matter any more. */
  settled(machine: ClientMachine): void
  sendCancel(cancel: SipRequest, branch: string, wire: Wire): void
  /** Adds a Via with a new branch and writes. */
  writeAck(ack: SipRequest, wire: Wire): Uint8Array
}

export abstract class ClientMachine extends Machine implements ClientTransaction {
  readonly method: string
  readonly branch: string
  readonly key: string
  protected request: SipRequest | undefined
  protected bytes: Uint8Array | undefined
  protected handlers: ClientHandlers | undefined
  protected readonly clientOwner: ClientOwner

  constructor(
    owner: ClientOwner,
    wire: Wire,
    request: SipRequest,
    branch: string,
    key: string,
    handlers: ClientHandlers,
  ) {
    super(owner, wire)
    this.clientOwner = owner
    // what lingers must not hold on to a datagram or to the parts it was joined from
    this.method = flatten(request.method)
    this.branch = branch
    this.key = key
    this.request = request
    this.handlers = handlers
  }

  nobodyListens(): void {
    this.handlers?.onUnreachable?.()
  }

  /** While it may still be repeated. */
  get sent(): SipRequest | undefined {
    return this.request
  }

  /** Outside any dialog. */
  get begins(): boolean {
    return this.request !== undefined && toTag(this.request) === undefined
  }

  abstract begin(): void
  abstract receive(response: SipResponse): void
  abstract cancel(headers?: Iterable<readonly [name: string, value: string]>): void
  abstract ack(ack: SipRequest, wire?: Wire): void

  release(): void {
    this.handlers = undefined
  }

  protected sendRequest(): void {
    if (this.bytes === undefined) {
      if (!this.request) return
      this.bytes = writeMessage(this.request)
    } else this.owner.counters.retransmissionsSent++
    this.transmit(this.bytes)
  }

  protected tell(event: 'timeout' | 'transport-error'): void {
    const handlers = this.handlers
    if (event === 'timeout') {
      this.owner.counters.timeouts++
      handlers?.onTimeout()
    } else handlers?.onTransportError()
  }

  protected end(): void {
    this.clearAllTimers()
    this.clientOwner.forgetClient(this)
  }
}

interface KeptAck {
  readonly message: KeptMessage
  readonly wire: Wire
}

export class InviteClientMachine extends ClientMachine {
  #state: invite.InviteClientState = { kind: 'calling', interval: 0, cancel: false }
  #ack: KeptMessage | undefined
  #acks: Map<string, KeptAck> | undefined
  #cancelHeaders: Iterable<readonly [name: string, value: string]> | undefined

  begin(): void {
    this.#run(invite.start(this.clock))
  }

  receive(response: SipResponse): void {
    const known = response.status < 300 ? this.#acks?.get(toTag(response) ?? '') : undefined
    if (known) {
      // RFC 3261 13.2.2.4: the ACK is sent "every time a retransmission of the 2xx final response ... arrives"
      if (response.status >= 200) this.#resend(known)
      return
    }
    this.#input({ kind: 'response', status: response.status, response })
  }

  cancel(headers?: Iterable<readonly [name: string, value: string]>): void {
    this.#cancelHeaders ??= headers
    this.#input({ kind: 'cancel' })
  }

  ack(ack: SipRequest, wire: Wire = this.wire): void {
    const kept = { message: new KeptMessage(this.clientOwner.writeAck(ack, wire)), wire }
    this.#acks ??= new Map()
    if (this.#acks.size < 64) this.#acks.set(flatten(toTag(ack) ?? ''), kept)
    this.#send(kept)
    kept.message.compact()
  }

  fired(name: string): void {
    this.#input({ kind: 'timer', timer: name as invite.InviteClientTimer })
  }

  transportFailed(): void {
    this.#input({ kind: 'transport-error' })
  }

  #resend(kept: KeptAck): void {
    this.owner.counters.retransmissionsSent++
    this.#send(kept)
  }

  #send({ message, wire }: KeptAck): void {
    try {
      wire.send(message.bytes)
    } catch {
      // the 2xx comes again, and with it this ACK
      this.owner.counters.transportErrors++
    }
  }

  #input(input: invite.InviteClientInput<SipResponse>): void {
    this.#run(invite.step(this.#state, input, this.clock))
  }

  #run([state, effects]: invite.InviteClientStep<SipResponse>): void {
    const settled = this.#state.kind !== state.kind && (state.kind === 'accepted' || state.kind === 'completed')
    this.#state = state
    if (settled) this.clientOwner.settled(this)
    for (const effect of effects) this.#apply(effect)
    if (settled) this.#slim()
  }

  /** What lingers for 32 s is small. */
  #slim(): void {
    this.request = undefined
    this.bytes = undefined
    if (this.#state.kind === 'completed') this.handlers = undefined
  }

  #apply(effect: invite.InviteClientEffect<SipResponse>): void {
    switch (effect.kind) {
      case 'send':
        this.#transmit(effect)
        break
      case 'set-timer':
        this.setTimer(effect.timer, effect.ms)
        break
      case 'clear-timer':
        this.clearTimer(effect.timer)
        break
      case 'to-user':
        if (effect.event === 'response') this.handlers?.onResponse(effect.response)
        else this.tell(effect.event)
        break
      case 'terminated':
        this.end()
        break
    }
  }

  #transmit(effect: invite.InviteClientEffect<SipResponse> & { kind: 'send' }): void {
    switch (effect.what) {
      case 'request':
        this.sendRequest()
        break
      case 'ack':
        if (!this.request) return
        this.#ack = new KeptMessage(writeMessage(makeAck(this.request, effect.response)))
        this.#send({ message: this.#ack, wire: this.wire })
        this.#ack.compact()
        break
      case 'ack-again':
        if (this.#ack) this.#resend({ message: this.#ack, wire: this.wire })
        break
      case 'cancel':
        this.#sendCancel()
        break
    }
  }

  #sendCancel(): void {
    if (!this.request) return
    const cancel = makeCancel(this.request)
    for (const [name, value] of this.#cancelHeaders ?? []) cancel.headers.append(name, value)
    this.clientOwner.sendCancel(cancel, this.branch, this.wire)
  }
}

export class NonInviteClientMachine extends ClientMachine {
  #state: nonInvite.NonInviteClientState = { kind: 'trying', interval: 0 }

  begin(): void {
    this.#run(nonInvite.start(this.clock))
  }

  receive(response: SipResponse): void {
    this.#input({ kind: 'response', status: response.status, response })
  }

  cancel(): void {
    // RFC 3261 9.1: "A CANCEL request SHOULD NOT be sent to cancel a request other than INVITE"
  }

  ack(): void {
    throw new Error(`a ${this.method} is not acknowledged`)
  }

  fired(name: string): void {
    this.#input({ kind: 'timer', timer: name as nonInvite.NonInviteClientTimer })
  }

  transportFailed(): void {
    this.#input({ kind: 'transport-error' })
  }

  #input(input: nonInvite.NonInviteClientInput<SipResponse>): void {
    this.#run(nonInvite.step(this.#state, input, this.clock))
  }

  #run([state, effects]: nonInvite.NonInviteClientStep<SipResponse>): void {
    const settled = state.kind === 'completed' && this.#state.kind !== 'completed'
    this.#state = state
    if (settled) this.clientOwner.settled(this)
    for (const effect of effects) this.#apply(effect)
    if (!settled) return
    this.request = undefined
    this.bytes = undefined
    this.handlers = undefined
  }

  #apply(effect: nonInvite.NonInviteClientEffect<SipResponse>): void {
    if (effect.kind === 'send') this.sendRequest()
    else if (effect.kind === 'set-timer') this.setTimer(effect.timer, effect.ms)
    else if (effect.kind === 'clear-timer') this.clearTimer(effect.timer)
    else if (effect.kind === 'terminated') this.end()
    else if (effect.event === 'response') this.handlers?.onResponse(effect.response)
    else this.tell(effect.event)
  }
}
