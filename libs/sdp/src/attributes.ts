import type { Media, Sdp } from './parse.ts'

/** One format of an RTP stream: payload type, encoding name as written, clock rate in Hz (RFC 8866 6.6). */
export type Codec = {
  readonly payloadType: number
  readonly name: string
  readonly clock: number
  readonly channels: number
  readonly fmtp: string | undefined
}

/** `a=crypto` of SDES-SRTP (RFC 4568 9.1); `key` is a secret: never log it. */
export type Crypto = { readonly tag: number; readonly suite: string; readonly key: string }

/** RFC 3551 table 4 and 5: the payload types that need no `a=rtpmap`. */
const staticCodecs = new Map<number, readonly [string, number, number]>([
  [0, ['PCMU', 8000, 1]],
  [3, ['GSM', 8000, 1]],
  [4, ['G723', 8000, 1]],
  [5, ['DVI4', 8000, 1]],
  [6, ['DVI4', 16_000, 1]],
  [7, ['LPC', 8000, 1]],
  [8, ['PCMA', 8000, 1]],
  [9, ['G722', 8000, 1]],
  [10, ['L16', 44_100, 2]],
  [11, ['L16', 44_100, 1]],
  [12, ['QCELP', 8000, 1]],
  [13, ['CN', 8000, 1]],
  [14, ['MPA', 90_000, 1]],
  [15, ['G728', 8000, 1]],
  [16, ['DVI4', 11_025, 1]],
  [17, ['DVI4', 22_050, 1]],
  [18, ['G729', 8000, 1]],
  [26, ['JPEG', 90_000, 1]],
  [31, ['H261', 90_000, 1]],
  [32, ['MPV', 90_000, 1]],
  [33, ['MP2T', 90_000, 1]],
  [34, ['H263', 90_000, 1]],
])

/** Values of `a=name:value` (or '' for `a=name`) in one section, in order. */
export function attributes(sdp: Sdp, from: number, to: number, name: string): string[] {
  const found: string[] = []
  const start = `a=${name}`
  for (let i = from; i < to; i++) {
    const line = sdp.lines[i] as string
    if (!line.startsWith(start)) continue
    if (line.length === start.length) found.push('')
    else if (line.charCodeAt(start.length) === 58) found.push(line.slice(start.length + 1))
  }
  return found
}

/** The codecs of a media section in the order of preference of its `m=` line; unknown formats are left out. */
export function codecsOf(sdp: Sdp, media: Media): Codec[] {
  const maps = keyedByPayloadType(attributes(sdp, media.start, media.end, 'rtpmap'))
  const fmtps = keyedByPayloadType(attributes(sdp, media.start, media.end, 'fmtp'))
  const codecs: Codec[] = []
  for (const format of media.formats) {
    if (!/^\d{1,3}$/.test(format)) continue
    const payloadType = Number(format)
    const [name, clock, channels] = readRtpmap(maps.get(format)) ?? staticCodecs.get(payloadType) ?? ['', 0, 1]
    if (payloadType <= 127 && name !== '') codecs.push({ payloadType, name, clock, channels, fmtp: fmtps.get(format) })
  }
  return codecs
}

/** Packet time in ms as asked for by `a=ptime` (RFC 8866 6.4), if it is. */
export function ptimeOf(sdp: Sdp, media: Media): number | undefined {
  const value = Number(attributes(sdp, media.start, media.end, 'ptime')[0] || Number.NaN)
  return value > 0 && value <= 1000 ? value : undefined
}

export function cryptoOf(sdp: Sdp, media: Media): Crypto[] {
  const keys: Crypto[] = []
  for (const value of attributes(sdp, media.start, media.end, 'crypto')) {
    const [tag, suite, key] = value.split(' ')
    if (tag !== undefined && /^\d{1,9}$/.test(tag) && suite && key) keys.push({ tag: Number(tag), suite, key })
  }
  return keys
}

function keyedByPayloadType(values: readonly string[]): Map<string, string> {
  const keyed = new Map<string, string>()
  for (const value of values) {
    const space = value.indexOf(' ')
    if (space > 0) keyed.set(value.slice(0, space), value.slice(space + 1).trim())
  }
  return keyed
}

/** `<encoding name>/<clock rate>[/<channels>]` */
function readRtpmap(value: string | undefined): readonly [string, number, number] | undefined {
  const [name, clock, channels] = value?.split('/') ?? []
  if (!name || !clock || !/^\d{1,9}$/.test(clock)) return undefined
  return [name, Number(clock), channels !== undefined && /^\d{1,3}$/.test(channels) ? Number(channels) : 1]
}
