/** One end of a call's audio: real RTP and RTCP sockets, a tone going out, what comes in counted and listened to. */

import { randomInt } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { RemoteMedia } from './call-sdp.ts'
import { Reception, writeRtcp } from './rtcp.ts'
import { PACKET_SAMPLES, SAMPLE_RATE, toneSecond, toneShare } from './tone.ts'

/** What a test sees of the audio of a call. */
export interface Audio {
  /** Address and even port of our RTP; RTCP is one above. */
  readonly address: string
  readonly port: number
  /** The tone we send, Hz. */
  readonly tone: number
  readonly packetsSent: number
  readonly packetsReceived: number
  readonly rtcpSent: number
  readonly rtcpReceived: number
  /** `address:port` of the last RTP packet received. */
  readonly from: string | undefined
  /** Was that tone heard at any time within the last second of audio received? */
  heard(hz: number): boolean
  /** Resolves once the tone is heard; rejects after `timeoutMs` (default 10,000). */
  hears(hz: number, timeoutMs?: number): Promise<void>
  /** Sends no audio any more; with `reports` RTCP goes on, as that of a muted phone does. */
  fallSilent(reports: boolean): void
}

/** How bad the line of a peer is, on purpose. */
export interface Line {
  /** Of what it sends, every so many-th packet is lost on the way. */
  readonly dropEvery?: number
  /** It is that much farther away, ms: reports of the other side reach it so much later. */
  readonly roundTripMs?: number
  /** From one RTCP report to the next, ms; default 2000. */
  readonly reportMs?: number
}

export interface RtpAudio extends Audio {
  /** Where packets go from now on, and whether we send. */
  connect(remote: RemoteMedia, sending: boolean): void
  /** Sends nothing any more; still listens. */
  mute(): void
  close(): void
}

const PAYLOAD_PCMU = 0
const RTP_HEADER = 12
const PACKET_MS = 20
const KEPT_PACKETS = 50
/** 80 ms: enough to tell tones 25 Hz apart. */
const WINDOW_PACKETS = 4
const RTCP_MS = 2000

export interface RtpAudioParts {
  readonly address: string
  /** Hz */
  readonly tone: number
  /** Send back what is received instead of the tone. */
  readonly echo?: boolean
  readonly line?: Line | undefined
}

/** Opens an RTP and an RTCP socket on neighbouring free ports. Nothing is sent before `connect`. */
export async function openRtpAudio({ address, tone, echo = false, line = {} }: RtpAudioParts): Promise<RtpAudio> {
  const { rtp, rtcp, port } = await openPair(address)
  const second = toneSecond(tone)
  const ssrc = randomInt(2 ** 32)
  const heardPackets: Uint8Array[] = []
  const reception = new Reception(SAMPLE_RATE)
  const count = { packetsSent: 0, packetsReceived: 0, rtcpSent: 0, rtcpReceived: 0, octets: 0 }
  let sequence = randomInt(2 ** 16)
  let timestamp = randomInt(2 ** 32)
  let position = 0
  let remote: RemoteMedia | undefined
  let from: string | undefined
  let ticker: NodeJS.Timeout | undefined
  let reporter: NodeJS.Timeout | undefined
  let due = 0
  let closed = false

  const sendPayload = (payload: Uint8Array) => {
    if (!remote || closed) return
    const packet = Buffer.allocUnsafe(RTP_HEADER + payload.length)
    packet[0] = 0x80
    packet[1] = PAYLOAD_PCMU | (count.packetsSent === 0 ? 0x80 : 0)
    packet.writeUInt16BE(sequence, 2)
    packet.writeUInt32BE(timestamp, 4)
    packet.writeUInt32BE(ssrc, 8)
    packet.set(payload, RTP_HEADER)
    sequence = (sequence + 1) & 0xffff
    timestamp = (timestamp + payload.length) >>> 0
    count.packetsSent++
    count.octets += payload.length
    if (line.dropEvery !== undefined && count.packetsSent % line.dropEvery === 0) return
    rtp.send(packet, remote.port, remote.address)
  }
  const tick = () => {
    // as many as are due: a late timer does not lose packets (but a suspended process does not flood)
    const now = performance.now()
    if (now - due > 500) due = now
    for (; due <= now; due += PACKET_MS) {
      sendPayload(second.subarray(position, position + PACKET_SAMPLES))
      position = (position + PACKET_SAMPLES) % SAMPLE_RATE
    }
  }
  const report = () => {
    if (!remote || closed) return
    const block = reception.report(performance.now())
    const sender = { timestamp, packets: count.packetsSent, octets: count.octets, wallMs: Date.now() }
    // RFC 3550 6.4: who has sent nothing since the last report sends a receiver report
    const blocks = block === undefined ? [] : [block]
    rtcp.send(writeRtcp(ssrc, blocks, ticker === undefined ? undefined : sender), remote.rtcpPort, remote.address)
    count.rtcpSent++
  }
  const mute = () => {
    clearInterval(ticker)
    clearInterval(reporter)
    ticker = undefined
    reporter = undefined
  }
  rtp.on('message', (packet, source) => {
    if (packet.length <= RTP_HEADER || (packet[0] as number) >> 6 !== 2) return
    count.packetsReceived++
    reception.rtp(packet, performance.now())
    from = `${source.address}:${source.port}`
    const payload = Uint8Array.prototype.slice.call(packet, RTP_HEADER)
    if (((packet[1] as number) & 0x7f) === PAYLOAD_PCMU) heardPackets.push(payload)
    if (heardPackets.length > KEPT_PACKETS) heardPackets.shift()
    if (echo && ticker) sendPayload(payload)
  })
  rtcp.on('message', (packet) => {
    count.rtcpReceived++
    if (line.roundTripMs === undefined) return reception.rtcp(packet, performance.now())
    setTimeout(() => reception.rtcp(packet, performance.now()), line.roundTripMs).unref()
  })
  // a peer that has closed its port is told by ICMP: its business
  rtp.on('error', () => undefined)
  rtcp.on('error', () => undefined)

  const heard = (hz: number) => {
    for (let i = 0; i + WINDOW_PACKETS <= heardPackets.length; i++) {
      if (toneShare(Buffer.concat(heardPackets.slice(i, i + WINDOW_PACKETS)), hz) > 0.5) return true
    }
    return false
  }

  return {
    address,
    port,
    tone,
    get packetsSent() {
      return count.packetsSent
    },
    get packetsReceived() {
      return count.packetsReceived
    },
    get rtcpSent() {
      return count.rtcpSent
    },
    get rtcpReceived() {
      return count.rtcpReceived
    },
    get from() {
      return from
    },
    heard,
    async hears(hz, timeoutMs = 10_000) {
      const limit = performance.now() + timeoutMs
      while (!heard(hz)) {
        if (performance.now() > limit) {
          throw new Error(`no tone of ${hz} Hz in ${timeoutMs} ms: ${count.packetsReceived} packets received`)
        }
        await new Promise((resolve) => setTimeout(resolve, 40))
      }
    },
    connect(peer, sending) {
      if (closed) return
      remote = peer
      if (!sending || peer.port === 0) {
        mute()
        return
      }
      if (ticker) return
      due = performance.now()
      ticker = setInterval(echo ? () => undefined : tick, PACKET_MS)
      reporter = setInterval(report, line.reportMs ?? RTCP_MS)
      if (!echo) tick()
      report()
    },
    mute,
    fallSilent(reports) {
      if (!reports) return mute()
      clearInterval(ticker)
      ticker = undefined
    },
    close() {
      if (closed) return
      closed = true
      mute()
      rtp.close()
      rtcp.close()
    },
  }
}

async function openPair(address: string): Promise<{ rtp: Socket; rtcp: Socket; port: number }> {
  for (let attempt = 0; ; attempt++) {
    const rtp = await bound(address, 0)
    const { port } = rtp.address()
    // RFC 3550 11: RTP on an even port, RTCP on the next higher one
    const rtcp = port % 2 === 0 ? await bound(address, port + 1).catch(() => undefined) : undefined
    if (rtcp) return { rtp, rtcp, port }
    rtp.close()
    if (attempt > 100) throw new Error(`no free pair of ports on ${address}`)
  }
}

async function bound(address: string, port: number): Promise<Socket> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  try {
    socket.bind(port, address)
    await once(socket, 'listening')
    return socket
  } catch (error) {
    socket.close()
    throw error
  }
}
