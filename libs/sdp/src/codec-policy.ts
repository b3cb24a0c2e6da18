import { codecsOf } from './attributes.ts'
import { type Media, parseSdp, type Sdp, writeSdp } from './parse.ts'

/** Encoding names, in any letters (PCMU, G722, opus …). */
export type CodecPolicy = {
  /** What may be offered, nothing else; null: everything. */
  readonly allow: readonly string[] | null
  readonly strip: readonly string[]
  /** First, in this order; the others follow as they were. */
  readonly order: readonly string[]
}

/** They carry no voice: allowed beside any voice codec, unless stripped. */
const beside = new Set(['telephone-event', 'cn'])

/**
 * An offer with the codecs that all `policies` let pass, the order of the last one first. Only audio is touched.
 * Undefined: no voice codec is left in an audio stream that had one.
 */
export function withCodecs(sdp: Sdp, policies: readonly CodecPolicy[]): Sdp | undefined {
  if (policies.length === 0) return sdp
  const lines: string[] = []
  for (let i = 0; i < sdp.sessionEnd; i++) lines.push(sdp.lines[i] as string)
  for (const media of sdp.media) {
    const formats = media.kind === 'audio' && media.port !== 0 ? formatsLeft(sdp, media, policies) : media.formats
    if (formats === undefined) return undefined
    section(sdp, media, formats, lines)
  }
  const parsed = parseSdp(writeSdp({ ...sdp, lines }))
  return parsed.kind === 'sdp' ? parsed.sdp : undefined
}

function formatsLeft(sdp: Sdp, media: Media, policies: readonly CodecPolicy[]): readonly string[] | undefined {
  const names = new Map(codecsOf(sdp, media).map(({ payloadType, name }) => [String(payloadType), name.toLowerCase()]))
  const nameOf = (format: string): string => names.get(format) ?? ''
  let left = media.formats
  for (const policy of policies) {
    const allow = policy.allow?.map(lower)
    const strip = policy.strip.map(lower)
    const passes = (name: string) =>
      !strip.includes(name) && (allow === undefined || allow.includes(name) || beside.has(name))
    const order = policy.order.map(lower)
    const place = (format: string): number => {
      const at = order.indexOf(nameOf(format))
      return at < 0 ? order.length : at
    }
    // toSorted keeps the order of equals
    left = left.filter((format) => passes(nameOf(format))).toSorted((a, b) => place(a) - place(b))
  }
  return left.some((format) => !beside.has(nameOf(format))) ? left : undefined
}

function section(sdp: Sdp, media: Media, formats: readonly string[], lines: string[]): void {
  const start = sdp.lines[media.start] as string
  const head = start.split(' ', 3).join(' ')
  lines.push(formats === media.formats ? start : `${head} ${formats.join(' ')}`)
  const gone = new Set(media.formats.filter((format) => !formats.includes(format)))
  for (let i = media.start + 1; i < media.end; i++) {
    const line = sdp.lines[i] as string
    const about = /^a=(?:rtpmap|fmtp|rtcp-fb):(\d+)[ ]/.exec(line)?.[1]
    if (about === undefined || !gone.has(about)) lines.push(line)
  }
}

const lower = (name: string): string => name.toLowerCase()
