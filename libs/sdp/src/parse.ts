/** The most that is read of one description: browsers with video stay below 16 kB. */
export const maxSdpLength = 65_536
const maxLines = 2_000
const maxMedia = 32

export type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive'
export type AddressType = 'IP4' | 'IP6'

/** `c=`: an IPv4 or IPv6 address, or a host name (RFC 8866 5.7), without TTL. */
export type Connection = { readonly type: AddressType; readonly address: string }

/** `o=` (RFC 8866 5.2). The numbers are kept as text: they may exceed 2^53. */
export type Origin = {
  readonly user: string
  readonly sessionId: string
  readonly version: string
  readonly type: AddressType
  readonly address: string
}

/** One `m=` section. Port 0 means that the stream is refused or deleted (RFC 3264 5.1, 6). */
export type Media = {
  /** Index of the `m=` line in `Sdp.lines`, and of the line after the section's last. */
  readonly start: number
  readonly end: number
  /** audio, video, image, application … */
  readonly kind: string
  readonly port: number
  /** RTP/AVP, RTP/SAVP, udptl … */
  readonly protocol: string
  readonly formats: readonly string[]
  /** The section's own `c=`, else the session's; absent only when the port is 0. */
  readonly connection: Connection | undefined
  readonly direction: Direction
  /** Where RTCP goes: `a=rtcp` (RFC 3605), the RTP port with `a=rtcp-mux` (RFC 5761), else port + 1. */
  readonly rtcpPort: number
  readonly rtcpAddress: string | undefined
  readonly rtcpMux: boolean
}

/** A session description; `lines` are as they came, byte by byte, without their line ends. */
export type Sdp = {
  readonly lines: readonly string[]
  /** Index of the first `m=` line, or the number of lines. */
  readonly sessionEnd: number
  readonly origin: Origin
  readonly connection: Connection | undefined
  readonly media: readonly Media[]
}

export type ParsedSdp =
  | { readonly kind: 'sdp'; readonly sdp: Sdp }
  /** `reason` is for a log line or a Warning header; 488 or 400 is the caller's choice. */
  | { readonly kind: 'invalid'; readonly reason: string; readonly line?: number }

/** Reads a session description (RFC 8866 5 and 9). Never throws; takes LF as well as CRLF. */
export function parseSdp(text: string): ParsedSdp {
  if (text.length > maxSdpLength) return invalid(`longer than ${maxSdpLength} characters`)
  if (text.includes('\0')) return invalid('a NUL inside')
  const lines = splitLines(text)
  if (!Array.isArray(lines)) return lines
  if (lines[0] !== 'v=0') return invalid('does not begin with v=0', 0)
  return readSections(lines)
}

/** The text of a description as it came, every line ended by CRLF. */
export function writeSdp(sdp: Sdp): string {
  return `${sdp.lines.join('\r\n')}\r\n`
}

const invalid = (reason: string, line?: number): ParsedSdp =>
  line === undefined ? { kind: 'invalid', reason } : { kind: 'invalid', reason, line: line + 1 }

function splitLines(text: string): string[] | ParsedSdp {
  const lines: string[] = []
  let at = 0
  let cr = text.indexOf('\r')
  while (at < text.length) {
    const feed = text.indexOf('\n', at)
    let end = feed < 0 ? text.length : feed
    const next = end + 1
    if (cr >= 0 && cr < at) cr = text.indexOf('\r', at)
    if (cr >= 0 && cr < end) {
      // Some peers take a lone CR for a line end: what hides behind it would pass us unseen.
      if (cr !== end - 1) return invalid('a lone CR inside a line', lines.length)
      end = cr
    }
    // Blank lines are tolerated at the very end only; elsewhere they are not <type>=<value>.
    if (end === at && text.slice(at).trim() === '') break
    // RFC 8866 5: MUST reject a description with a type letter that is not understood.
    if (end - at < 2 || text.charCodeAt(at + 1) !== 61 || knownType[text.charCodeAt(at)] !== 1) {
      return invalid('not a <type>=<value> line', lines.length)
    }
    if (lines.length >= maxLines) return invalid(`more than ${maxLines} lines`)
    lines.push(text.slice(at, end))
    at = next
  }
  return lines
}

const knownType = new Uint8Array(128)
for (const letter of 'vosiuepcbtrzkam') knownType[letter.charCodeAt(0)] = 1

function readSections(lines: readonly string[]): ParsedSdp {
  const starts: number[] = []
  for (let i = 1; i < lines.length; i++) if (lines[i]?.charCodeAt(0) === 109) starts.push(i)
  if (starts.length > maxMedia) return invalid(`more than ${maxMedia} media sections`)
  const sessionEnd = starts[0] ?? lines.length

  const session = readCommon(lines, 1, sessionEnd)
  if (session === undefined) return invalid('a c= line cannot be read')
  const originAt = lines.findIndex((line) => line.startsWith('o='))
  const origin = originAt > 0 && originAt < sessionEnd ? readOrigin(lines[originAt] as string) : undefined
  if (origin === undefined) return invalid('the o= line is missing or cannot be read', Math.max(originAt, 0))

  const media: Media[] = []
  for (let n = 0; n < starts.length; n++) {
    const start = starts[n] as number
    const section = readMedia(lines, start, starts[n + 1] ?? lines.length, session)
    if (typeof section === 'string') return invalid(section, start)
    media.push(section)
  }
  return { kind: 'sdp', sdp: { lines, sessionEnd, origin, connection: session.connection, media } }
}

function readMedia(lines: readonly string[], start: number, end: number, session: Common): Media | string {
  const words = (lines[start] as string).slice(2).split(' ')
  const kind = words[0] ?? ''
  const port = readPort(words[1]?.split('/', 1)[0] ?? '')
  const protocol = words[2] ?? ''
  if (kind === '' || port === undefined || protocol === '' || words.length < 4) return 'the m= line cannot be read'
  const own = readCommon(lines, start + 1, end)
  if (own === undefined) return 'a c= line of the media section cannot be read'
  const connection = own.connection ?? session.connection
  // RFC 8866 5.7: a c= line at the session level, or in each media description.
  if (connection === undefined && port !== 0) return 'the media section has no c= line'
  const formats = words.slice(3).filter((format) => format !== '')
  return {
    start,
    end,
    kind,
    port,
    protocol,
    formats,
    connection,
    direction: own.direction ?? session.direction ?? 'sendrecv', // RFC 3264 5.1: sendrecv is the default
    rtcpPort: own.rtcpPort ?? (own.rtcpMux ? port : port + 1),
    rtcpAddress: own.rtcpAddress,
    rtcpMux: own.rtcpMux,
  }
}

type Common = {
  connection: Connection | undefined
  direction: Direction | undefined
  rtcpPort: number | undefined
  rtcpAddress: string | undefined
  rtcpMux: boolean
}

/** What session and media sections have alike; undefined when a `c=` line is broken. */
function readCommon(lines: readonly string[], from: number, to: number): Common | undefined {
  const common: Common = {
    connection: undefined,
    direction: undefined,
    rtcpPort: undefined,
    rtcpAddress: undefined,
    rtcpMux: false,
  }
  for (let i = from; i < to; i++) {
    const line = lines[i] as string
    const type = line.charCodeAt(0)
    if (type === 97) readAttribute(line, common)
    else if (type === 99) {
      const connection = readConnection(line, 2)
      if (connection === undefined) return undefined
      common.connection ??= connection
    }
  }
  return common
}

function readAttribute(line: string, common: Common): void {
  // All of these happen to be ten characters long: most lines are told apart without a comparison.
  if (line.length === 10) {
    if (line === 'a=rtcp-mux') common.rtcpMux = true
    else if (line === 'a=sendrecv' || line === 'a=sendonly' || line === 'a=recvonly' || line === 'a=inactive') {
      common.direction = line.slice(2) as Direction
    }
  }
  if (line.charCodeAt(2) !== 114 || line.charCodeAt(6) !== 58 || !line.startsWith('a=rtcp:')) return
  const space = line.indexOf(' ')
  const port = readPort(line.slice(7, space < 0 ? undefined : space))
  if (port === undefined) return
  common.rtcpPort = port
  common.rtcpAddress = space < 0 ? undefined : readConnection(line, space + 1)?.address
}

/** `IN IP4 192.0.2.1[/ttl[/count]]` from `at` on. */
function readConnection(line: string, at: number): Connection | undefined {
  const words = line.slice(at).trimEnd().split(' ')
  const [network, type, where] = words
  if (words.length !== 3 || network !== 'IN' || (type !== 'IP4' && type !== 'IP6') || !where) return undefined
  return { type, address: where.split('/', 1)[0] as string }
}

function readOrigin(line: string): Origin | undefined {
  const words = line.slice(2).trimEnd().split(' ')
  const [user, sessionId, version, network, type, address] = words
  if (words.length !== 6 || !user || !address || network !== 'IN' || (type !== 'IP4' && type !== 'IP6'))
    return undefined
  if (!isDigits(sessionId ?? '') || !isDigits(version ?? '')) return undefined
  return { user, sessionId: sessionId as string, version: version as string, type, address }
}

function readPort(text: string): number | undefined {
  if (text.length > 5 || !isDigits(text)) return undefined
  const port = Number(text)
  return port <= 65_535 ? port : undefined
}

function isDigits(text: string): boolean {
  if (text.length === 0) return false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 48 || code > 57) return false
  }
  return true
}
