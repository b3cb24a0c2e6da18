/** All transactions of one edge: finds the machine of a message and runs its effects. No I/O of its own. */
import { makeResponse } from '../message/make.ts'
import type { SipRequest, SipResponse } from '../message/message.ts'
import { elements, toTag } from '../message/read.ts'
import { flatten } from '../message/text.ts'
import { writeMessage } from '../message/write.ts'
import {
  type ClientHandlers,
  type ClientMachine,
  type ClientOwner,
  type ClientTransaction,
  InviteClientMachine,
  NonInviteClientMachine,
} from './client-transaction.ts'
import { type Clockwork, DEFAULT_TIMES } from './clockwork.ts'
import { requestLarge } from './large-request.ts'
import type { TransactionCounters } from './machine.ts'
import {
  ackKey2543,
  CANCELLED_METHODS,
  clientKey,
  isCompliant,
  MAGIC_COOKIE,
  mergeKey,
  requestIdentity,
  responseKey,
  serverKey,
} from './matching.ts'
import { RetransmitUntilAck } from './retransmit-until-ack.ts'
import {
  InviteServerMachine,
  NonInviteServerMachine,
  type ServerMachine,
  type ServerOwner,
  ServerTransaction,
} from './server-transaction.ts'
import { TimerWheel, type TimeSource } from './timer-wheel.ts'
import type { Wire } from './wire.ts'

export interface TransactionLayerParts extends TimeSource {
  /** Text for branches and tags: at least 32 bits of randomness, token characters only (RFC 3261 19.3). */
  random(): string
  /**
   * A new request, never an ACK, CANCEL or retransmission. Set the handlers and answer, now or later; the answer
   * to an INVITE may take long (after 200 ms a 100 is sent by itself).
   */
  onRequest(transaction: ServerTransaction): void
  /** An ACK that is not for a 300-699: find its dialog and stop its `RetransmitUntilAck`; else drop it. */
  onAck(ack: SipRequest, wire: Wire): void
  /** ms; default RFC 3261 table 4. */
  readonly times?: Partial<Pick<Clockwork, 't1' | 't2' | 't4'>>
  /** Beyond that many server transactions new requests get a 503, default 200,000. */
  readonly maxTransactions?: number
  /** Requests which the limit does not touch (emergency calls). */
  readonly exempt?: (request: SipRequest) => boolean
  /** Coarseness of all timers, ms, default 10. */
  readonly tickMs?: number
}

/**
 * The owner of all transactions of one edge.
 *
 * ```ts
 * const layer = new TransactionLayer({ setTimer, clearTimer, now, random, onRequest, onAck })
 * layer.receive(message, wire)                       // whatever the parser gave
 * const call = layer.request(invite, wire, { onResponse, onTimeout, onTransportError })
 * call.ack(ackInDialog(dialog, …)); call.cancel()
 * transaction.reply(180); const retransmission = layer.accept(transaction, ok, onNoAck); retransmission.stop()
 * ```
 *
 * Requests must have been stamped with `withReceived` (RFC 3261 18.2.1, RFC 3581) before.
 */
export class TransactionLayer {
  /** Shared by all transactions; the owner may hang its own SIP timers (session timer, registrations) into it. */
  readonly timers: TimerWheel
  readonly counters: TransactionCounters = {
    serverTransactions: 0,
    clientTransactions: 0,
    retransmissionsReceived: 0,
    retransmissionsSent: 0,
    timeouts: 0,
    transportErrors: 0,
    strayResponses: 0,
    mergedRequests: 0,
    overload: 0,
  }
  readonly times: Pick<Clockwork, 't1' | 't2' | 't4'>
  readonly #parts: TransactionLayerParts
  readonly #servers = new Map<string, ServerMachine>()
  readonly #merges = new Map<string, ServerMachine>()
  readonly #clients = new Map<string, ClientMachine>()
  readonly #pendingOn = new Map<Wire, Set<ClientMachine>>()
  readonly #maxTransactions: number
  readonly #owner: ServerOwner & ClientOwner

  constructor(parts: TransactionLayerParts) {
    this.#parts = parts
    this.timers = new TimerWheel(parts, parts.tickMs)
    this.times = { ...DEFAULT_TIMES, ...parts.times }
    this.#maxTransactions = parts.maxTransactions ?? 200_000
    this.#owner = this.#makeOwner()
  }

  /** Transactions that exist now, lingering ones included. */
  get serverCount(): number {
    return this.#servers.size
  }

  get clientCount(): number {
    return this.#clients.size
  }

  receive(message: SipRequest | SipResponse, wire: Wire): void {
    if (message.kind === 'request') this.receiveRequest(message, wire)
    else this.receiveResponse(message)
  }

  /** `back`: where its responses go when that is not where it came from (RFC 3261 18.2.2). */
  receiveRequest(request: SipRequest, wire: Wire, back: Wire = wire): void {
    const identity = requestIdentity(request)
    if (identity === undefined) return
    if (request.method === 'ACK') {
      this.#receiveAck(request, identity, wire)
      return
    }
    const key = serverKey(identity, request.method)
    const known = this.#servers.get(key)
    if (known) known.retransmission()
    else if (request.method === 'CANCEL') this.#receiveCancel(request, identity, key, wire, back)
    else this.#receiveNew(request, key, wire, back)
  }

  /** RFC 6026 8.9: a response that matches nothing is silently discarded (and counted). */
  receiveResponse(response: SipResponse): void {
    // RFC 3261 8.1.3.3: "more than one Via header field value ... SHOULD discard the message"
    const key = elements(response, 'via').length === 1 ? responseKey(response) : undefined
    const client = key === undefined ? undefined : this.#clients.get(key)
    if (client) client.receive(response)
    else this.counters.strayResponses++
  }

  /**
   * Sends a request in a client transaction of its own. `request` has no Via of ours yet: one with a new branch is
   * put on top (the request's headers change). Not for ACK.
   */
  request(request: SipRequest, wire: Wire, handlers: ClientHandlers): ClientTransaction {
    if (request.method === 'ACK') throw new Error('an ACK has no transaction: use ClientTransaction.ack or sendAck')
    const large = wire.large?.()
    if (large && writeMessage(request).length + VIA_BYTES > MAX_DATAGRAM) {
      return requestLarge((on, h) => this.#send(request, on, h), request, large, wire, handlers)
    }
    return this.#send(request, wire, handlers)
  }

  #send(request: SipRequest, wire: Wire, handlers: ClientHandlers): ClientTransaction {
    const branch = flatten(MAGIC_COOKIE + this.#parts.random())
    request.headers.prepend('Via', viaValue(wire, branch))
    return this.#startClient(request, branch, wire, handlers)
  }

  /** Sends an ACK of a 2xx outside any transaction, for calls taken over from another edge. Returns its bytes. */
  sendAck(ack: SipRequest, wire: Wire): Uint8Array {
    const bytes = this.#owner.writeAck(ack, wire)
    wire.send(bytes)
    return bytes
  }

  /**
   * Accepts an INVITE: sends the 2xx and repeats it until `stop()` is called (the ACK came to `onAck`), or calls
   * `onNoAck` after 64*T1 (RFC 3261 13.3.1.4: then BYE).
   */
  accept(transaction: ServerTransaction, response: SipResponse, onNoAck: () => void): RetransmitUntilAck {
    const bytes = writeMessage(response)
    transaction.respondBytes(response.status, response, bytes)
    return new RetransmitUntilAck({
      timers: this.timers,
      times: this.times,
      send: () => {
        this.counters.retransmissionsSent++
        transaction.respondBytes(response.status, response, bytes)
      },
      onGiveUp: onNoAck,
    })
  }

  /** Answers without any transaction, for requests which the parser refused. */
  replyStateless(request: SipRequest, status: number, wire: Wire, headers: [string, string][] = []): void {
    if (request.method === 'ACK') return
    this.#trySend(wire, writeMessage(makeResponse(request, status, { toTag: this.#parts.random(), headers })))
  }

  /** The connection is gone, or the address unreachable (ICMP): tells all client transactions waiting on it. */
  wireFailed(wire: Wire): void {
    const waiting = this.#pendingOn.get(wire)
    if (!waiting) return
    this.counters.transportErrors += waiting.size
    for (const client of [...waiting]) client.transportFailed()
  }

  /**
   * ICMP said that nobody listens there (RFC 3261 18.4): requests that begin something fail at once, so that the next
   * address is tried. Those of a dialog go on being repeated, as its peer may just be starting again; so do `exempt` ones,
   * whose user hears of it.
   */
  unreachable(wire: Wire): void {
    for (const client of [...(this.#pendingOn.get(wire) ?? [])]) {
      if (!client.begins) continue
      this.counters.transportErrors++
      if (client.sent && this.#parts.exempt?.(client.sent)) client.nobodyListens()
      else client.transportFailed()
    }
  }

  /** Drops everything; no handler is called any more. */
  close(): void {
    this.timers.close()
    this.#servers.clear()
    this.#merges.clear()
    this.#clients.clear()
    this.#pendingOn.clear()
  }

  #receiveAck(ack: SipRequest, identity: string, wire: Wire): void {
    const key = isCompliant(identity) ? serverKey(identity, 'INVITE') : ackKey2543(ack, toTag(ack) ?? '')
    const machine = this.#servers.get(key)
    if (machine instanceof InviteServerMachine && !machine.ack()) return
    this.#parts.onAck(ack, wire)
  }

  #receiveCancel(cancel: SipRequest, identity: string, key: string, wire: Wire, back: Wire): void {
    let target: ServerMachine | undefined
    for (const method of CANCELLED_METHODS) {
      target = this.#servers.get(serverKey(identity, method))
      if (target) break
    }
    const invite = target instanceof InviteServerMachine ? target : undefined
    const transaction = this.#startServer(cancel, key, undefined, wire, back, invite?.toTag)
    // RFC 3261 9.2: 481 when nothing matches; otherwise 200, whatever becomes of the request itself
    transaction.reply(target ? 200 : 481)
    invite?.cancel(cancel)
  }

  #receiveNew(request: SipRequest, key: string, wire: Wire, back: Wire): void {
    if (this.#servers.size >= this.#maxTransactions && !this.#parts.exempt?.(request)) {
      this.counters.overload++
      this.replyStateless(request, 503, back, [['Retry-After', '5']])
      return
    }
    const merge = mergeKey(request)
    const twin = merge === undefined ? undefined : this.#merges.get(merge)
    const transaction = this.#startServer(request, key, twin ? undefined : merge, wire, back)
    if (twin) {
      // RFC 3261 8.2.2.2: the same request by another path: 482 (Loop Detected)
      this.counters.mergedRequests++
      transaction.reply(482)
      return
    }
    this.#parts.onRequest(transaction)
    const machine = this.#servers.get(key)
    if (machine instanceof NonInviteServerMachine) machine.abandonLater()
  }

  #startServer(
    request: SipRequest,
    key: string,
    merge: string | undefined,
    wire: Wire,
    back: Wire,
    tag = this.#parts.random(),
  ): ServerTransaction {
    this.counters.serverTransactions++
    const isInvite = request.method === 'INVITE'
    const machine = isInvite
      ? new InviteServerMachine(this.#owner, back, key, merge)
      : new NonInviteServerMachine(this.#owner, back, key, merge)
    this.#servers.set(key, machine)
    if (merge !== undefined) this.#merges.set(merge, machine)
    const transaction = new ServerTransaction(request, wire, tag, machine)
    if (machine instanceof InviteServerMachine) machine.begin(transaction)
    else machine.attach(transaction)
    return transaction
  }

  #startClient(request: SipRequest, branch: string, wire: Wire, handlers: ClientHandlers): ClientMachine {
    this.counters.clientTransactions++
    const Kind = request.method === 'INVITE' ? InviteClientMachine : NonInviteClientMachine
    const machine = new Kind(this.#owner, wire, request, branch, clientKey(branch, request.method), handlers)
    this.#clients.set(machine.key, machine)
    const waiting = this.#pendingOn.get(wire)
    if (waiting) waiting.add(machine)
    else this.#pendingOn.set(wire, new Set([machine]))
    machine.begin()
    return machine
  }

  #settled(machine: ClientMachine): void {
    const waiting = this.#pendingOn.get(machine.wire)
    waiting?.delete(machine)
    if (waiting?.size === 0) this.#pendingOn.delete(machine.wire)
  }

  #trySend(wire: Wire, bytes: Uint8Array): void {
    try {
      wire.send(bytes)
    } catch {
      this.counters.transportErrors++
    }
  }

  #makeOwner(): ServerOwner & ClientOwner {
    const reliable: Clockwork = { reliable: true, ...this.times }
    const unreliable: Clockwork = { reliable: false, ...this.times }
    return {
      timers: this.timers,
      counters: this.counters,
      random: () => this.#parts.random(),
      clockwork: (wire) => (wire.reliable ? reliable : unreliable),
      forgetServer: (machine) => {
        this.#servers.delete(machine.key)
        if (machine.ackKey !== undefined) this.#servers.delete(machine.ackKey)
        if (machine.mergeKey !== undefined) this.#merges.delete(machine.mergeKey)
      },
      expectAck2543: (machine, request, response) => {
        if (isCompliant(machine.key.slice('INVITE|'.length))) return
        machine.ackKey = ackKey2543(request, toTag(response) ?? '')
        this.#servers.set(machine.ackKey, machine)
      },
      forgetClient: (machine) => {
        this.#settled(machine)
        this.#clients.delete(machine.key)
      },
      settled: (machine) => this.#settled(machine),
      sendCancel: (cancel, branch, wire) => {
        this.#startClient(cancel, branch, wire, IGNORE)
      },
      writeAck: (ack, wire) => {
        // RFC 3261 13.2.2.4, 17: the ACK of a 2xx is a transaction of its own and has its own branch
        ack.headers.prepend('Via', viaValue(wire, MAGIC_COOKIE + this.#parts.random()))
        return writeMessage(ack)
      },
    }
  }
}

/** RFC 3261 18.1.1: larger than that, a request goes over a congestion controlled transport. */
const MAX_DATAGRAM = 1300
/** What our Via will add, about. */
const VIA_BYTES = 100

/** RFC 3261 9.1: the CANCEL completes by itself; what counts is the final response of the INVITE. */
const IGNORE: ClientHandlers = { onResponse() {}, onTimeout() {}, onTransportError() {} }

// RFC 3581 3: rport asks for the answer to come back to the port we sent from
function viaValue(wire: Wire, branch: string): string {
  return `SIP/2.0/${wire.transport} ${wire.sentBy};branch=${branch};rport${wire.alias ? ';alias' : ''}`
}
