/** A phone with SRTP by hand (RFC 4568): it says a tone, and keeps its key when it is told that its call is elsewhere now. */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import type { SipMessage } from '@tandem/sip/message/message.ts'
import { nextTone, PACKET_SAMPLES, toneSecond, toneShare } from '@tandem/testing/tone.ts'
import { bodyOf, HandCaller } from './hand-call.ts'
import { type RawPeer, rawPeer, registerUser } from './raw-peer.ts'
import { type Endpoint, endpoint, until } from './rtp-endpoint.ts'
import { Keys } from './srtp-keys.ts'

const PACKET_MS = 20
const HEADER = 12
/** Enough to tell tones apart. */
const WINDOW = 4

export class SrtpPhone {
  readonly tone = nextTone()
  readonly #edge: { port: number; address: string }
  readonly #peer: RawPeer
  readonly #end: Endpoint
  readonly #keys = new Keys(undefined)
  readonly #second = toneSecond(this.tone)
  readonly #ssrc = randomInt(2 ** 32)
  #caller: HandCaller | undefined
  #version = 1
  #to: { port: number; address: string } | undefined
  #ticker: NodeJS.Timeout | undefined
  #sent = 0
  /** Packets that were looked at. */
  #taken = 0
  #clear: Buffer[] = []

  private constructor(edge: { port: number; address: string }, peer: RawPeer, end: Endpoint) {
    this.#edge = edge
    this.#peer = peer
    this.#end = end
  }

  static async register(edge: { port: number; address: string }, user: string, password: string): Promise<SrtpPhone> {
    const where = { ...edge }
    const peer = await rawPeer('UDP', where)
    assert.equal((await registerUser(peer, user, password)).status, 200)
    return new SrtpPhone(where, peer, await endpoint())
  }

  get callId(): string {
    return this.#caller?.invite.headers.get('call-id') ?? ''
  }

  async call(user: string, number: string): Promise<void> {
    this.#caller = new HandCaller(this.#peer, number, this.#edge.port, { user, body: this.#says() })
    const answer = await this.#caller.hears(200)
    this.#caller.ack(answer)
    this.#leads(answer)
    this.#ticker = setInterval(() => this.#say(), PACKET_MS)
  }

  /** Its edge is there now. */
  moveTo(address: string): void {
    this.#edge.address = address
  }

  /** Takes the re-INVITE of the edge that has its call now. */
  async toldAnew(): Promise<void> {
    const caller = this.#caller as HandCaller
    const offer = await caller.asked('INVITE')
    this.#version++
    caller.reply(offer, 200, { body: this.#says() })
    this.#leads(offer)
  }

  /** In what comes from now on, decoded. */
  async hears(tone: number): Promise<void> {
    this.#decode()
    this.#clear = []
    const heard = () => {
      this.#decode()
      const from = Math.max(0, this.#clear.length - WINDOW)
      return this.#clear.length >= WINDOW && toneShare(Buffer.concat(this.#clear.slice(from)), tone) > 0.5
    }
    await until(heard, `a tone of ${tone} Hz is decoded`)
  }

  async hangUp(): Promise<void> {
    clearInterval(this.#ticker)
    assert.equal((await (this.#caller as HandCaller).ask('BYE')).status, 200)
  }

  async hungUp(): Promise<void> {
    const caller = this.#caller as HandCaller
    caller.reply(await caller.asked('BYE'), 200)
    clearInterval(this.#ticker)
  }

  close(): void {
    clearInterval(this.#ticker)
    this.#peer.close()
    this.#end.close()
  }

  #says(): string {
    return [
      ...['v=0', `o=- 7 ${this.#version} IN IP4 127.0.0.1`, 's=-', 'c=IN IP4 127.0.0.1', 't=0 0'],
      ...[`m=audio ${this.#end.port} RTP/SAVP 0`, this.#keys.line, ''],
    ].join('\r\n')
  }

  #leads(message: SipMessage): void {
    const text = bodyOf(message)
    this.#decode()
    this.#keys.heard(text)
    const port = Number(/^m=audio (\d+) RTP\/SAVP/m.exec(text)?.[1])
    const address = /^c=IN IP4 (\S+)/m.exec(text)?.[1]
    assert.ok(port > 0 && address !== undefined, text)
    this.#to = { port, address }
  }

  #say(): void {
    const packet = Buffer.alloc(HEADER + PACKET_SAMPLES)
    packet[0] = 0x80
    packet.writeUInt16BE(++this.#sent & 0xffff, 2)
    packet.writeUInt32BE((this.#sent * PACKET_SAMPLES) >>> 0, 4)
    packet.writeUInt32BE(this.#ssrc, 8)
    const at = (this.#sent * PACKET_SAMPLES) % this.#second.length
    packet.set(this.#second.subarray(at, at + PACKET_SAMPLES), HEADER)
    if (this.#to) this.#end.send(this.#keys.ours.protectRtp(packet) as Buffer, this.#to.port, this.#to.address)
  }

  #decode(): void {
    const { heard } = this.#end
    for (; this.#taken < heard.length; this.#taken++) {
      const clear = this.#keys.theirs?.unprotectRtp(Buffer.from(heard[this.#taken] as Buffer))
      if (clear) this.#clear.push(clear.subarray(HEADER))
    }
  }
}
