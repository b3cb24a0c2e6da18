import { type Codec, codecsOf } from './attributes.ts'
import type { Connection, Media, Sdp } from './parse.ts'

/** The first audio stream that is not refused; what a call is about. */
export function audioOf(sdp: Sdp): Media | undefined {
  return sdp.media.find((media) => media.kind === 'audio' && media.port !== 0)
}

/**
 * RFC 3264 8.4: hold is sendonly or inactive; the address 0.0.0.0 of RFC 2543 means that
 * neither RTP nor RTCP should be sent to that side.
 */
export function isHold(media: Media): boolean {
  return media.direction === 'sendonly' || media.direction === 'inactive' || isNowhere(media.connection)
}

/** RFC 3264 8.4: a description is held when all of its live streams are. */
export function isHeld(sdp: Sdp): boolean {
  const live = sdp.media.filter((media) => media.port !== 0)
  return live.length > 0 && live.every(isHold)
}

/** The unspecified address, v4 or v6: nothing is to be sent there. */
export function isNowhere(connection: Connection | undefined): boolean {
  return connection?.address === '0.0.0.0' || connection?.address === '::'
}

/**
 * The codec in which the caller's and callee's voice travels: the first of the answer's audio
 * formats (RFC 3264 6.1) that carries sound; telephone-event and comfort noise do not.
 */
export function negotiatedCodec(answer: Sdp): Codec | undefined {
  const audio = audioOf(answer)
  if (audio === undefined) return undefined
  return codecsOf(answer, audio).find((codec) => !/^(telephone-event|cn|red)$/i.test(codec.name))
}
