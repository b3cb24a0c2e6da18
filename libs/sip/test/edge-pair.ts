/** Two transaction layers joined by wires in fake time: what one sends is parsed and received by the other. */
import { makeRequest } from '../src/message/make.ts'
import type { SipMessage, SipRequest } from '../src/message/message.ts'
import { parseDatagram } from '../src/message/parse.ts'
import { TransactionLayer, type TransactionLayerParts } from '../src/transaction/layer.ts'
import type { ServerTransaction } from '../src/transaction/server-transaction.ts'
import type { Wire } from '../src/transaction/wire.ts'
import { type FakeTime, fakeTime } from './fake-time.ts'

export interface Side {
  readonly layer: TransactionLayer
  /** Towards the other side. */
  readonly wire: Wire
  /** First lines of what was sent, with the time: `500 INVITE`, `0 180`. */
  readonly sent: string[]
  readonly requests: ServerTransaction[]
  readonly acks: SipRequest[]
  /** The next so many messages sent by this side are lost. */
  lose: number
  /** Sending throws. */
  broken: boolean
}

export interface Pair {
  readonly time: FakeTime
  readonly caller: Side
  readonly callee: Side
}

export function edgePair(
  options: {
    reliable?: boolean
    onRequest?: (transaction: ServerTransaction) => void
    layer?: Partial<TransactionLayerParts>
  } = {},
): Pair {
  const time = fakeTime()
  let serial = 0
  const random = () => `r${++serial}`
  const side = (name: string, other: () => Side, onRequest?: (transaction: ServerTransaction) => void): Side => {
    const requests: ServerTransaction[] = []
    const acks: SipRequest[] = []
    const sent: string[] = []
    const layer = new TransactionLayer({
      ...time,
      random,
      onRequest(transaction) {
        requests.push(transaction)
        onRequest?.(transaction)
      },
      onAck: (ack) => acks.push(ack),
      ...options.layer,
    })
    const self: Side = {
      layer,
      sent,
      requests,
      acks,
      lose: 0,
      broken: false,
      wire: {
        reliable: options.reliable ?? false,
        transport: options.reliable ? 'TCP' : 'UDP',
        sentBy: `${name}.example:5060`,
        name,
        send(bytes) {
          if (self.broken) throw new Error('no route')
          const message = read(bytes)
          sent.push(`${time.now()} ${message.kind === 'request' ? message.method : message.status}`)
          if (self.lose > 0) self.lose--
          else other().layer.receive(message, other().wire)
        },
      },
    }
    return self
  }
  const caller: Side = side('caller', () => callee)
  const callee: Side = side('callee', () => caller, options.onRequest)
  return { time, caller, callee }
}

export function read(bytes: Uint8Array): SipMessage {
  const outcome = parseDatagram(bytes)
  if (outcome.kind !== 'message') throw new Error(`not a message: ${JSON.stringify(outcome)}`)
  return outcome.message
}

let calls = 0

export function request(method = 'INVITE', change: Partial<Parameters<typeof makeRequest>[0]> = {}): SipRequest {
  return makeRequest({
    method,
    uri: 'sip:bob@callee.example',
    from: '"Alice" <sip:alice@caller.example>;tag=a1',
    to: '<sip:bob@callee.example>',
    callId: `call-${++calls}`,
    cseq: 1,
    contact: '<sip:alice@caller.example:5060>',
    ...change,
  })
}

/** Handlers that write down what they hear. */
export function listener(): {
  readonly heard: string[]
  onResponse(response: { status: number }): void
  onTimeout(): void
  onTransportError(): void
} {
  const heard: string[] = []
  return {
    heard,
    onResponse: ({ status }) => heard.push(String(status)),
    onTimeout: () => heard.push('timeout'),
    onTransportError: () => heard.push('transport-error'),
  }
}
