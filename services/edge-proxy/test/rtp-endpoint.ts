/** The far end of a leg in tests of media: a pair of sockets, packets that it makes, what it hears. */
import { createSocket, type Socket } from 'node:dgram'
import { parseSdp, type Sdp } from '@tandem/sdp/parse.ts'

export interface Endpoint {
  readonly port: number
  readonly heard: Buffer[]
  readonly heardRtcp: Buffer[]
  /** Default 127.0.0.1. */
  send(packet: Buffer, port: number, address?: string): void
  sendRtcp(packet: Buffer, port: number): void
  close(): void
}

/** An even port and the one above it, by chance. */
export async function endpoint(address = '127.0.0.1'): Promise<Endpoint> {
  for (;;) {
    const port = 34_000 + 2 * Math.floor(Math.random() * 7000)
    const rtp = await bound(address, port)
    const rtcp = rtp === undefined ? undefined : await bound(address, port + 1)
    if (rtp === undefined || rtcp === undefined) {
      rtp?.close()
      continue
    }
    const heard: Buffer[] = []
    const heardRtcp: Buffer[] = []
    rtp.on('message', (packet) => heard.push(packet))
    rtcp.on('message', (packet) => heardRtcp.push(packet))
    return {
      port,
      heard,
      heardRtcp,
      send: (packet, to, host = '127.0.0.1') => rtp.send(packet, to, host),
      sendRtcp: (packet, to) => rtcp.send(packet, to, '127.0.0.1'),
      close() {
        rtp.close()
        rtcp.close()
      },
    }
  }
}

function bound(address: string, port: number): Promise<Socket | undefined> {
  return new Promise((done) => {
    const socket = createSocket('udp4')
    socket.once('error', () => done(undefined))
    socket.bind({ port, address, exclusive: true }, () => done(socket))
  })
}

export interface Described {
  readonly address?: string
  readonly direction?: string
  /** Of its o= line. */
  readonly version?: number
  readonly protocol?: string
  readonly formats?: string
  readonly more?: readonly string[]
}

export function description(port: number, what: Described = {}): Sdp {
  const address = what.address ?? '127.0.0.1'
  const text = [
    'v=0',
    `o=- 1 ${what.version ?? 1} IN IP4 ${address}`,
    's=-',
    `c=IN IP4 ${address}`,
    't=0 0',
    `m=audio ${port} ${what.protocol ?? 'RTP/AVP'} ${what.formats ?? '0 8 101'}`,
    'a=rtpmap:101 telephone-event/8000',
    'a=fmtp:101 0-16',
    ...(what.more ?? []),
    `a=${what.direction ?? 'sendrecv'}`,
    '',
  ].join('\r\n')
  const parsed = parseSdp(text)
  if (parsed.kind !== 'sdp') throw new Error(parsed.reason)
  return parsed.sdp
}

export function rtp(sequence: number, timestamp = sequence * 160, ssrc = 7): Buffer {
  const packet = Buffer.alloc(172, 0xd5)
  packet[0] = 0x80
  packet[1] = 0
  packet.writeUInt16BE(sequence & 0xffff, 2)
  packet.writeUInt32BE(timestamp >>> 0, 4)
  packet.writeUInt32BE(ssrc, 8)
  return packet
}

/** RFC 4733 2.3: event, end bit and volume, duration; payload type 101. */
export function telephoneEvent(sequence: number, event: number, end: boolean, duration: number): Buffer {
  const packet = Buffer.alloc(16)
  packet[0] = 0x80
  packet[1] = 101
  packet.writeUInt16BE(sequence, 2)
  packet.writeUInt32BE(1600, 4)
  packet.writeUInt32BE(7, 8)
  packet[12] = event
  packet[13] = (end ? 0x80 : 0) | 10
  packet.writeUInt16BE(duration, 14)
  return packet
}

/** Once it holds, within 10 s. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 10_000
  while (!holds()) {
    if (performance.now() > end) throw new Error(`it never happened: ${what}`)
    await new Promise((go) => setTimeout(go, 5))
  }
}
