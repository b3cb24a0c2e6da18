/** The little SDP that a test phone speaks: one PCMU stream, telephone-event, hold (RFC 8866, RFC 3264). */

export type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive'

export interface LocalMedia {
  readonly address: string
  readonly port: number
  readonly direction: Direction
  readonly session: { readonly id: number; readonly version: number }
}

export interface RemoteMedia {
  readonly address: string
  /** 0: the stream is refused. */
  readonly port: number
  readonly rtcpPort: number
  /** As the peer says it, from its side. */
  readonly direction: Direction
  /** Payload types in the peer's order. */
  readonly payloads: readonly number[]
}

export const SDP_TYPE = 'application/sdp'

export function writeCallSdp({ address, port, direction, session }: LocalMedia): string {
  const type = address.includes(':') ? 'IP6' : 'IP4'
  return [
    'v=0',
    `o=- ${session.id} ${session.version} IN ${type} ${address}`,
    's=-',
    `c=IN ${type} ${address}`,
    't=0 0',
    `m=audio ${port} RTP/AVP 0 101`,
    'a=rtpmap:0 PCMU/8000',
    'a=rtpmap:101 telephone-event/8000',
    'a=fmtp:101 0-16',
    'a=ptime:20',
    `a=${direction}`,
    '',
  ].join('\r\n')
}

/** The first audio stream; undefined when there is none or the text is no SDP. */
export function readCallSdp(body: Uint8Array): RemoteMedia | undefined {
  const lines = new TextDecoder().decode(body).split(/\r?\n/)
  const at = lines.findIndex((line) => line.startsWith('m=audio '))
  const [, port, , ...payloads] = lines[at]?.split(' ') ?? []
  if (at < 0 || port === undefined) return undefined
  const next = lines.findIndex((line, i) => i > at && line.startsWith('m='))
  const media = lines.slice(at, next < 0 ? undefined : next)
  const session = lines.slice(
    0,
    lines.findIndex((line) => line.startsWith('m=')),
  )
  const connection = [...media, ...session].find((line) => line.startsWith('c='))
  const address = connection?.split(' ')[2]
  if (address === undefined) return undefined
  const rtcp = media.find((line) => line.startsWith('a=rtcp:'))?.slice('a=rtcp:'.length)
  return {
    address,
    port: Number.parseInt(port, 10),
    rtcpPort: rtcp === undefined ? Number.parseInt(port, 10) + 1 : Number.parseInt(rtcp, 10),
    direction: readDirection(media) ?? readDirection(session) ?? 'sendrecv',
    payloads: payloads.map(Number),
  }
}

/** What to answer to that direction, when we ourselves would rather have `wanted` (RFC 3264 6.1). */
export function answerDirection(offered: Direction, wanted: Direction = 'sendrecv'): Direction {
  const send = wanted !== 'recvonly' && wanted !== 'inactive' && (offered === 'sendrecv' || offered === 'recvonly')
  const receive = wanted !== 'sendonly' && wanted !== 'inactive' && (offered === 'sendrecv' || offered === 'sendonly')
  return send ? (receive ? 'sendrecv' : 'sendonly') : receive ? 'recvonly' : 'inactive'
}

function readDirection(lines: readonly string[]): Direction | undefined {
  for (const line of lines) {
    const found = /^a=(sendrecv|sendonly|recvonly|inactive)$/.exec(line)
    if (found) return found[1] as Direction
  }
  return undefined
}
