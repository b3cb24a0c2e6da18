/**
 * Phones of calls that hear each other through a relay: each sends packets of 172 bytes (20 ms of G.711) at a steady pace
 * and looks whether what comes is of the other one, how long it took and how much is missing.
 */
import { randomInt } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { quantile } from './round.ts'

export interface RtpSettings {
  /** where the phones send to, in their order */
  targets: number[]
  /** of each phone */
  packetsPerSecond: number
  seconds: number
}

export interface RtpResult {
  sent: number
  received: number
  /** packets that are not of the other phone of the call */
  strange: number
  /** phones that heard nothing */
  deaf: number
  /** from the send to the receipt, µs */
  delayP50Us: number
  delayP99Us: number
  /** the most that a packet was sent behind its time, ms: the load itself had no time */
  lateMs: number
}

interface Phone {
  readonly socket: Socket
  readonly packet: Buffer
  heard: number
  /** the port that it sends to and hears, 0: none yet */
  dialled: number
}

const ADDRESS = '127.0.0.1'
/** Above those of the relays. */
const LOWEST = 32_768
const HIGHEST = 65_000
const HEADER = 12
const ROUND = HEADER + 8
const SIZE = 172
const SAMPLES = 160
const BUFFER = 1 << 20
/** Beside sending, what has come is read. */
const AT_ONCE = 16
/** What is on its way after the last packet was sent. */
const SETTLE_MS = 1000

export class RtpLoad {
  readonly #phones: Phone[] = []
  #delaysUs = new Float64Array(0)
  #received = 0
  #strange = 0
  /** Written into each packet: one that comes after its round is over is not counted in the next one. */
  #round = 0

  /** The ports of all phones, two a call: alice and bob, alice and bob, … */
  async open(calls: number): Promise<number[]> {
    while (this.#phones.length < 2 * calls) await this.#add(this.#phones.length)
    return this.#phones.slice(0, 2 * calls).map(({ socket }) => socket.address().port)
  }

  async run(settings: RtpSettings): Promise<RtpResult> {
    const phones = this.#phones.slice(0, settings.targets.length)
    const total = phones.length * settings.packetsPerSecond * settings.seconds
    this.#delaysUs = new Float64Array(total)
    this.#received = 0
    this.#strange = 0
    this.#round++
    for (const [i, phone] of phones.entries()) {
      phone.heard = 0
      await dial(phone, settings.targets[i] as number)
    }
    const lateMs = await this.#sendAll(phones, settings, total)
    const until = performance.now() + SETTLE_MS
    while (this.#received < total && performance.now() < until) await new Promise((done) => setTimeout(done, 5))
    const delays = this.#delaysUs.subarray(0, this.#received).sort()
    return {
      sent: total,
      received: this.#received,
      strange: this.#strange,
      deaf: phones.filter(({ heard }) => heard === 0).length,
      delayP50Us: this.#received === 0 ? 0 : quantile(delays, 0.5),
      delayP99Us: this.#received === 0 ? 0 : quantile(delays, 0.99),
      lateMs,
    }
  }

  async #add(index: number): Promise<void> {
    const socket = await bound()
    const packet = Buffer.alloc(SIZE, 0xd5)
    packet.writeUInt16BE(0x8000)
    packet.writeUInt32BE(index, 8)
    const phone: Phone = { socket, packet, heard: 0, dialled: 0 }
    this.#phones.push(phone)
    // the phones of a call stand beside each other
    const other = index ^ 1
    socket.on('message', (bytes) => this.#hear(phone, bytes, other))
    socket.on('error', () => {})
  }

  #hear(phone: Phone, packet: Buffer, other: number): void {
    if (packet.length !== SIZE || packet.readUInt32BE(8) !== other) {
      this.#strange++
      return
    }
    if (packet.readUInt32BE(ROUND) !== this.#round) return
    phone.heard++
    this.#delaysUs[this.#received++] = (performance.now() - packet.readDoubleBE(HEADER)) * 1000
  }

  /** The phones send one after the other, evenly over time. Gives the most that one was late, ms. */
  #sendAll(phones: readonly Phone[], settings: RtpSettings, total: number): Promise<number> {
    const gapMs = 1000 / (phones.length * settings.packetsPerSecond)
    const metronome = new Worker(new URL('./metronome.ts', import.meta.url), {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    })
    return new Promise<number>((done, fail) => {
      let begun = 0
      let sent = 0
      let lateMs = 0
      let waits = false
      const pump = (): void => {
        const now = performance.now() - begun
        const due = Math.min(total, Math.floor(now / gapMs) + 1)
        lateMs = Math.max(lateMs, now - sent * gapMs)
        for (const end = Math.min(due, sent + AT_ONCE); sent < end; sent++) {
          const i = sent % phones.length
          this.#send(phones[i] as Phone, Math.floor(sent / phones.length))
        }
        waits = sent < due
        if (waits) setImmediate(pump)
        else if (sent === total) done(lateMs)
      }
      metronome.once('error', fail)
      metronome.on('message', () => {
        begun ||= performance.now()
        if (!waits && sent < total) pump()
      })
    }).finally(() => metronome.terminate())
  }

  #send({ socket, packet }: Phone, sequence: number): void {
    packet.writeUInt16BE(sequence & 0xffff, 2)
    packet.writeUInt32BE((sequence * SAMPLES) >>> 0, 4)
    packet.writeUInt32BE(this.#round, ROUND)
    packet.writeDoubleBE(performance.now(), HEADER)
    socket.send(packet)
  }
}

/** A socket that is connected costs the load less, so that it can be greater. */
async function dial(phone: Phone, port: number): Promise<void> {
  if (phone.dialled === port) return
  if (phone.dialled !== 0) phone.socket.disconnect()
  const connected = once(phone.socket, 'connect')
  phone.socket.connect(port, ADDRESS)
  await connected
  phone.dialled = port
}

/** At a port that was asked for: one that the system chose is taken back when the socket is disconnected. */
async function bound(): Promise<Socket> {
  for (let tries = 0; tries < 100; tries++) {
    const socket = createSocket({ type: 'udp4', recvBufferSize: BUFFER, sendBufferSize: BUFFER })
    const listening = once(socket, 'listening')
    socket.bind({ port: randomInt(LOWEST, HIGHEST), address: ADDRESS, exclusive: true })
    const free = await listening.then(
      () => true,
      () => false,
    )
    if (free) return socket
    socket.close()
  }
  throw new Error('no free port for a phone')
}
