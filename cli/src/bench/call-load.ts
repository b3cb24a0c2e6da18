/**
 * Calls made at a rate by many callers: INVITE with SDP, ACK, BYE at once, or after a while. Each caller has a socket of its own, so a
 * flow of its own at the registrar.
 *
 *   inviting --2xx--> up --holdMs--> ending --2xx--> answered
 *       `--3xx-6xx, 64*T1--`--3xx-6xx, 64*T1--> failed
 */
import type { Socket } from 'node:dgram'
import { performance } from 'node:perf_hooks'
import type { SipResponse } from '@tandem/sip/message/message.ts'
import { callId, contacts, cseq, routeSet } from '@tandem/sip/message/read.ts'

export interface LoadSettings {
  /** host:port */
  target: string
  domain: string
  /** calls a second */
  rate: number
  calls: number
  /** from the 200 to the BYE, ms; left out: at once */
  holdMs?: number
  /** what every caller dials; left out: a number of the measurement at random */
  dial?: string
  /** at an even beat, not as people call */
  even?: boolean
}

export interface LoadResult {
  calls: number
  answered: number
  /** by final status or `no answer` */
  failed: Record<string, number>
  /** requests sent again: something was lost or late */
  retransmissions: number
  /** INVITE to 200, µs, ascending */
  setupUs: number[]
  /** from the first INVITE to the last answer to a BYE */
  seconds: number
}

export interface Caller {
  user: string
  socket: Socket
  port: number
}

interface Call {
  caller: Caller
  id: string
  /** what stands in From, with tag */
  from: string
  uri: string
  state: 'inviting' | 'up' | 'ending'
  /** the request that is not answered yet */
  request: Buffer
  sentAt: number
  resendAt: number
  pauseMs: number
  proceeding: boolean
  ack: Buffer | undefined
}

/** RFC 3261 17.1.1.1 */
const T1_MS = 500
const T2_MS = 4000
const GIVE_UP_MS = 64 * T1_MS
const SWEEP_MS = 50

const SDP = [
  'v=0',
  'o=- 53655765 2353687637 IN IP4 127.0.0.1',
  's=-',
  'c=IN IP4 127.0.0.1',
  't=0 0',
  'm=audio 6000 RTP/AVP 0 8 101',
  'a=rtpmap:0 PCMU/8000',
  'a=rtpmap:8 PCMA/8000',
  'a=rtpmap:101 telephone-event/8000',
  'a=fmtp:101 0-15',
  'a=sendrecv',
  '',
].join('\r\n')

export class CallLoad {
  readonly #settings: LoadSettings
  readonly #callers: readonly Caller[]
  readonly #dial: () => string
  readonly #host: string
  readonly #port: number
  readonly #run = Math.random().toString(36).slice(2, 10)
  readonly #open = new Map<string, Call>()
  /** ACKs of calls whose 200 may come again */
  readonly #acks = new Map<string, { caller: Caller; ack: Buffer }>()
  readonly #setupUs: number[] = []
  readonly #failed = new Map<string, number>()
  /** made at most */
  #calls: number
  #made = 0
  #answered = 0
  #retransmissions = 0

  /** `dial` gives the next number to dial, as a person would. */
  constructor(settings: LoadSettings, callers: readonly Caller[], dial: () => string) {
    this.#settings = settings
    this.#calls = settings.calls
    this.#callers = callers
    this.#dial = dial
    const colon = settings.target.lastIndexOf(':')
    this.#host = settings.target.slice(0, colon)
    this.#port = Number(settings.target.slice(colon + 1))
  }

  /** Resolves when every call has ended, one way or the other. */
  async run(): Promise<LoadResult> {
    const began = performance.now()
    const { rate, even } = this.#settings
    let due = began
    await new Promise<void>((done) => {
      let lastSweep = began
      const turn = () => {
        const now = performance.now()
        while (this.#made < this.#calls && due <= now) {
          this.#invite(now)
          // Poisson arrivals: people do not call at a steady beat
          due += ((even ? 1 : -Math.log(1 - Math.random())) * 1000) / rate
        }
        if (now - lastSweep >= SWEEP_MS) {
          lastSweep = now
          this.#sweep(now)
        }
        if (this.#made >= this.#calls && this.#open.size === 0) done()
        else setTimeout(turn, 1)
      }
      turn()
    })
    return {
      calls: this.#made,
      answered: this.#answered,
      failed: Object.fromEntries(this.#failed),
      retransmissions: this.#retransmissions,
      setupUs: this.#setupUs.sort((a, b) => a - b),
      seconds: (performance.now() - began) / 1000,
    }
  }

  /** No call is made any more. */
  enough(): void {
    this.#calls = this.#made
  }

  receive(response: SipResponse): void {
    const id = callId(response)
    const method = cseq(response)?.method
    const call = this.#open.get(id)
    if (method === 'INVITE' && call?.state !== 'inviting') {
      const known = this.#acks.get(id)
      // RFC 3261 13.2.2.4: the ACK MUST be passed on for each retransmission of the 2xx
      if (known && response.status >= 200) this.#send(known.caller, known.ack)
      return
    }
    if (!call || (method === 'BYE') !== (call.state === 'ending')) return
    if (response.status < 200) call.proceeding = true
    else if (call.state === 'ending') this.#end(call, response.status < 300 ? undefined : `BYE ${response.status}`)
    else if (response.status < 300) this.#takeAnswer(call, response)
    else {
      this.#send(call.caller, this.#write(call, 'ACK', call.uri, 1, response.headers.get('to') ?? '', [], call.request))
      this.#end(call, String(response.status))
    }
  }

  #invite(now: number): void {
    const n = this.#made++
    const caller = this.#callers[n % this.#callers.length] as Caller
    const { domain } = this.#settings
    const uri = `sip:${this.#dial()}@${domain}`
    const id = `${this.#run}-${n}@127.0.0.1`
    const call: Call = {
      caller,
      id,
      from: `<sip:${caller.user}@${domain}>;tag=${this.#run}${n}`,
      uri,
      state: 'inviting',
      request: Buffer.alloc(0),
      sentAt: now,
      resendAt: now + T1_MS,
      pauseMs: T1_MS,
      proceeding: false,
      ack: undefined,
    }
    call.request = this.#write(call, 'INVITE', uri, 1, `<${uri}>`, [])
    this.#open.set(id, call)
    call.sentAt = performance.now()
    this.#send(caller, call.request)
  }

  #takeAnswer(call: Call, response: SipResponse): void {
    const now = performance.now()
    this.#setupUs.push(Math.round((now - call.sentAt) * 1000))
    const named = contacts(response)
    const target = named === '*' ? undefined : named[0]?.uriText
    const routes = routeSet(response)
      .map((r) => `<${r.uriText}>`)
      .reverse()
    const to = response.headers.get('to') ?? ''
    const ack = this.#write(call, 'ACK', target ?? call.uri, 1, to, routes)
    this.#acks.set(call.id, { caller: call.caller, ack })
    this.#send(call.caller, ack)
    call.state = 'up'
    call.request = this.#write(call, 'BYE', target ?? call.uri, 2, to, routes)
    call.resendAt = now + (this.#settings.holdMs ?? 0)
    if (call.resendAt <= now) this.#hangUp(call, now)
  }

  #hangUp(call: Call, now: number): void {
    call.state = 'ending'
    call.sentAt = now
    call.resendAt = now + T1_MS
    call.pauseMs = T1_MS
    call.proceeding = false
    this.#send(call.caller, call.request)
  }

  #end(call: Call, why: string | undefined): void {
    this.#open.delete(call.id)
    if (why === undefined) this.#answered++
    else this.#failed.set(why, (this.#failed.get(why) ?? 0) + 1)
  }

  /** Timers A, B, E and F of all calls. */
  #sweep(now: number): void {
    for (const call of this.#open.values()) {
      if (call.state === 'up') {
        if (now >= call.resendAt) this.#hangUp(call, now)
      } else if (now - call.sentAt > GIVE_UP_MS)
        this.#end(call, call.state === 'ending' ? 'BYE without answer' : 'no answer')
      else if (now >= call.resendAt && !(call.proceeding && call.state === 'inviting')) {
        this.#retransmissions++
        call.pauseMs = call.state === 'inviting' ? call.pauseMs * 2 : Math.min(call.pauseMs * 2, T2_MS)
        call.resendAt = now + call.pauseMs
        this.#send(call.caller, call.request)
      }
    }
  }

  /** `like`: the ACK of a refusal carries the branch of its INVITE (RFC 3261 17.1.1.3). */
  #write(call: Call, method: string, uri: string, seq: number, to: string, routes: string[], like?: Buffer): Buffer {
    const branch = `z9hG4bK${call.from.slice(call.from.lastIndexOf('=') + 1)}${like ? 'INVITE' : method}`
    const { user, port } = call.caller
    const lines = [
      `${method} ${uri} SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.1:${port};branch=${branch};rport`,
      'Max-Forwards: 70',
      ...routes.map((route) => `Route: ${route}`),
      `From: ${call.from}`,
      `To: ${to}`,
      `Call-ID: ${call.id}`,
      `CSeq: ${seq} ${method}`,
    ]
    const body = method === 'INVITE' ? SDP : ''
    if (body) {
      lines.push(
        `Contact: <sip:${user}@127.0.0.1:${port}>`,
        'Allow: INVITE, ACK, CANCEL, BYE, OPTIONS',
        'Supported: timer',
        'User-Agent: tandem-bench',
        'Content-Type: application/sdp',
      )
    }
    return Buffer.from(`${lines.join('\r\n')}\r\nContent-Length: ${body.length}\r\n\r\n${body}`, 'latin1')
  }

  #send(caller: Caller, bytes: Buffer): void {
    caller.socket.send(bytes, this.#port, this.#host)
  }
}
