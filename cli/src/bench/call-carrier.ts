/** The answering carrier: 180 and 200 at once to every INVITE, 200 to BYE and OPTIONS. */
import type { Socket } from 'node:dgram'
import { performance } from 'node:perf_hooks'
import { makeResponse } from '@tandem/sip/message/make.ts'
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { callId } from '@tandem/sip/message/read.ts'
import { writeMessage } from '@tandem/sip/message/write.ts'

/** RFC 3261 13.3.1.4: the 200 is sent again from T1 on, doubling to T2, until its ACK or 64*T1. */
const T1_MS = 500
const T2_MS = 4000
const SWEEP_MS = 100

interface Answered {
  bytes: Buffer
  address: string
  port: number
  until: number
  resendAt: number
  pauseMs: number
}

const SDP = [
  'v=0',
  'o=carrier 53655765 2353687637 IN IP4 127.0.0.1',
  's=-',
  'c=IN IP4 127.0.0.1',
  't=0 0',
  'm=audio 6002 RTP/AVP 0',
  'a=rtpmap:0 PCMU/8000',
  'a=sendrecv',
  '',
].join('\r\n')

export class CallCarrier {
  readonly #socket: Socket
  readonly #contact: string
  /** calls whose 200 has no ACK yet, or which have one (undefined) and no BYE */
  readonly #calls = new Map<string, Answered | undefined>()
  readonly #sweep: NodeJS.Timeout
  #made = 0

  constructor(socket: Socket) {
    this.#socket = socket
    this.#contact = `<sip:carrier@127.0.0.1:${socket.address().port}>`
    this.#sweep = setInterval(() => this.#resend(), SWEEP_MS)
  }

  receive(request: SipRequest, address: string, port: number): void {
    const send = (bytes: Buffer) => this.#socket.send(bytes, port, address)
    const id = callId(request)
    switch (request.method) {
      case 'INVITE':
        this.#invited(request, id, address, port)
        break
      case 'ACK':
        if (this.#calls.has(id)) this.#calls.set(id, undefined)
        break
      case 'BYE':
        this.#calls.delete(id)
        send(writeMessage(makeResponse(request, 200)))
        break
      default:
        send(writeMessage(makeResponse(request, request.method === 'OPTIONS' ? 200 : 501, { toTag: 'carrier' })))
    }
  }

  close(): void {
    clearInterval(this.#sweep)
  }

  #invited(request: SipRequest, id: string, address: string, port: number): void {
    const known = this.#calls.get(id)
    if (known) this.#socket.send(known.bytes, port, address)
    else if (!this.#calls.has(id)) this.#answer(request, id, address, port)
  }

  #answer(request: SipRequest, id: string, address: string, port: number): void {
    const common = { toTag: `c${this.#made++}`, contact: this.#contact, recordRoute: true }
    const ringing = writeMessage(makeResponse(request, 180, common))
    const bytes = writeMessage(makeResponse(request, 200, { ...common, body: SDP, contentType: 'application/sdp' }))
    const now = performance.now()
    this.#calls.set(id, { bytes, address, port, until: now + 64 * T1_MS, resendAt: now + T1_MS, pauseMs: T1_MS })
    this.#socket.send(ringing, port, address)
    this.#socket.send(bytes, port, address)
  }

  #resend(): void {
    const now = performance.now()
    for (const [id, call] of this.#calls) {
      if (!call || now < call.resendAt) continue
      if (now > call.until) {
        this.#calls.delete(id)
        continue
      }
      call.pauseMs = Math.min(call.pauseMs * 2, T2_MS)
      call.resendAt = now + call.pauseMs
      this.#socket.send(call.bytes, call.port, call.address)
    }
  }
}
