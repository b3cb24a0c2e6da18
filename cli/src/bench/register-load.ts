/**
 * Registrations made at a rate, each as a phone does it that has no nonce yet:
 *
 *   asking --401--> proving --200--> registered
 *      `--anything else, 64*T1--`--anything else, 64*T1--> failed
 */
import { performance } from 'node:perf_hooks'
import { authorize } from '@tandem/sip/auth/digest.ts'
import { makeRequest } from '@tandem/sip/message/make.ts'
import type { SipResponse } from '@tandem/sip/message/message.ts'
import { callId, cseq } from '@tandem/sip/message/read.ts'
import { writeMessage } from '@tandem/sip/message/write.ts'
import type { Caller } from './call-load.ts'

export interface RegisterSettings {
  /** host:port */
  target: string
  domain: string
  password: string
  /** registrations a second */
  rate: number
  registrations: number
}

export interface RegisterResult {
  registered: number
  /** by final status or `no answer` */
  failed: Record<string, number>
  retransmissions: number
  /** first REGISTER to 200, µs, ascending */
  tookUs: number[]
}

interface Registration {
  readonly caller: Caller
  readonly id: string
  readonly began: number
  /** of the request that is not answered yet */
  seq: number
  request: Buffer
  sentAt: number
  resendAt: number
  pauseMs: number
}

/** RFC 3261 17.1.2.2 */
const T1_MS = 500
const T2_MS = 4000
const GIVE_UP_MS = 64 * T1_MS
const SWEEP_MS = 50

export class RegisterLoad {
  readonly #settings: RegisterSettings
  readonly #callers: readonly Caller[]
  readonly #host: string
  readonly #port: number
  readonly #run = Math.random().toString(36).slice(2, 10)
  readonly #open = new Map<string, Registration>()
  readonly #failed = new Map<string, number>()
  readonly #tookUs: number[] = []
  #made = 0
  #retransmissions = 0

  constructor(settings: RegisterSettings, callers: readonly Caller[]) {
    this.#settings = settings
    this.#callers = callers
    const [host, port] = settings.target.split(':') as [string, string]
    this.#host = host
    this.#port = Number(port)
  }

  /** Resolves when each has been answered or given up. */
  async run(): Promise<RegisterResult> {
    const { rate, registrations } = this.#settings
    let due = performance.now()
    let lastSweep = due
    await new Promise<void>((done) => {
      const turn = () => {
        const now = performance.now()
        for (; this.#made < registrations && due <= now; due += 1000 / rate) this.#ask(now)
        if (now - lastSweep >= SWEEP_MS) {
          lastSweep = now
          this.#sweep(now)
        }
        if (this.#made >= registrations && this.#open.size === 0) done()
        else setTimeout(turn, 1)
      }
      turn()
    })
    return {
      registered: this.#tookUs.length,
      failed: Object.fromEntries(this.#failed),
      retransmissions: this.#retransmissions,
      tookUs: this.#tookUs.sort((a, b) => a - b),
    }
  }

  receive(response: SipResponse): void {
    const registration = this.#open.get(callId(response))
    if (!registration || response.status < 200 || cseq(response)?.sequence !== registration.seq) return
    const now = performance.now()
    if (response.status === 401 && registration.seq === 1) {
      const { user } = registration.caller
      const authorization = authorize({
        challenges: response.headers.getAll('www-authenticate'),
        username: user,
        secret: { password: this.#settings.password },
        method: 'REGISTER',
        uri: `sip:${this.#settings.domain}`,
        cnonce: this.#run,
      })
      if (authorization === undefined) this.#end(registration, 'a challenge that nobody can answer')
      else this.#send(registration, 2, [['Authorization', authorization]], now)
    } else if (response.status === 200) {
      this.#tookUs.push(Math.round((now - registration.began) * 1000))
      this.#open.delete(registration.id)
    } else this.#end(registration, String(response.status))
  }

  #ask(now: number): void {
    const n = this.#made++
    const caller = this.#callers[n % this.#callers.length] as Caller
    const id = `${this.#run}-${n}@127.0.0.1`
    const late = { sentAt: now, resendAt: now + T1_MS, pauseMs: T1_MS }
    const registration = { caller, id, began: now, seq: 1, request: Buffer.alloc(0), ...late }
    this.#open.set(id, registration)
    this.#send(registration, 1, [], now)
  }

  #send(registration: Registration, seq: number, headers: [string, string][], now: number): void {
    const { user, port, socket } = registration.caller
    const { domain } = this.#settings
    const aor = `<sip:${user}@${domain}>`
    const request = makeRequest({
      method: 'REGISTER',
      uri: `sip:${domain}`,
      via: `SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bK${registration.id.replace('@', '')}${seq};rport`,
      from: `${aor};tag=${this.#run}`,
      to: aor,
      callId: registration.id,
      cseq: seq,
      contact: `<sip:${user}@127.0.0.1:${port}>`,
      headers: [['Expires', '3600'], ...headers],
    })
    registration.seq = seq
    registration.request = writeMessage(request)
    registration.sentAt = now
    registration.resendAt = now + T1_MS
    registration.pauseMs = T1_MS
    socket.send(registration.request, this.#port, this.#host)
  }

  #end(registration: Registration, why: string): void {
    this.#open.delete(registration.id)
    this.#failed.set(why, (this.#failed.get(why) ?? 0) + 1)
  }

  /** Timers E and F of all. */
  #sweep(now: number): void {
    for (const registration of this.#open.values()) {
      if (now - registration.sentAt > GIVE_UP_MS) this.#end(registration, 'no answer')
      else if (now >= registration.resendAt) {
        this.#retransmissions++
        registration.pauseMs = Math.min(registration.pauseMs * 2, T2_MS)
        registration.resendAt = now + registration.pauseMs
        registration.caller.socket.send(registration.request, this.#port, this.#host)
      }
    }
  }
}
